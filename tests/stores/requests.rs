//! With how many requests, and in what time, objects are read.
