//! Sets how the C library's allocator treats freed memory.
//!
//! By default glibc returns the end of its heap to the system as soon as a little of it is free. A task frees
//! what the next one allocates again a moment later, so the system would clear the same pages over and over;
//! that took a fifth of the time of a sort. Other allocators are not changed.

#![allow(unsafe_code)]

/// Makes the allocator keep freed memory for the next task: at most half of `task_bytes`, the memory limit of
/// a task.
pub fn keep_freed_memory(task_bytes: usize) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::keep_freed_memory(task_bytes);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = task_bytes;
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// The most freed memory that an arena keeps. There is one arena for every few threads.
    const KEPT_BYTES: usize = 64 << 20;
    /// Larger blocks are mapped one by one and returned at once. This is the largest threshold that glibc
    /// accepts.
    const MAPPED_BYTES: usize = 32 << 20;
    /// If the user has set one of these variables, the allocator is left alone.
    const SETTINGS: [&str; 3] = ["GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"];

    pub fn keep_freed_memory(task_bytes: usize) {
        if SETTINGS.iter().any(|name| std::env::var_os(name).is_some()) {
            return;
        }
        // Both fit in an `i32`, because of the limits above.
        let kept = (task_bytes / 2).min(KEPT_BYTES) as i32;
        let mapped = (task_bytes / 8).min(MAPPED_BYTES) as i32;
        // SAFETY: `mallopt` takes the allocator's own locks. It changes when memory is returned to the
        // system, not which memory is in use.
        let taken = unsafe {
            libc::mallopt(libc::M_TRIM_THRESHOLD, kept) & libc::mallopt(libc::M_MMAP_THRESHOLD, mapped)
        };
        if taken == 0 {
            log::debug!("the allocator does not let itself be set: tasks may wait for memory more often");
        }
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_one_task_frees_the_next_one_has_without_new_pages() {
        keep_freed_memory(1 << 30);
        let faults = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // After the name in brackets, the state is the first field and the number of minor faults the
            // eighth.
            stat.rsplit(") ").next().unwrap().split(' ').nth(7).unwrap().parse::<u64>().unwrap()
        };
        let task = || {
            let blocks: Vec<Vec<u8>> = (0..160).map(|i| vec![i as u8; 64 << 10]).collect();
            std::hint::black_box(&blocks);
        };
        let counted = std::thread::spawn(move || {
            task();
            let before = faults();
            (0..10).for_each(|_| task());
            faults() - before
        });
        // Ten times 10 MiB are 25,600 pages.
        let faults = counted.join().unwrap();
        assert!(faults < 2560, "{faults} new pages");
    }
}
