//! The memory limit of a process: set by the user, or derived from the machine.

use std::fs;

use crate::error::{Error, MALFORMED_CONFIG, Result};

/// The fraction of the machine's memory that is used by default.
const DEFAULT_SHARE: (u64, u64) = (6, 10);
/// Assumed if the machine's memory cannot be read.
const FALLBACK_BYTES: u64 = 4 << 30;
/// The smallest usable limit.
const MIN_BYTES: u64 = 16 << 20;

/// Parses `512MB`, `2GB`, `1.5GiB` or a plain number of bytes; units are powers of 1024, as in Spark.
///
/// # Errors
/// Of class config when `text` is not a size, or is too small.
pub fn parse_bytes(variable: &str, text: &str) -> Result<u64> {
    let malformed = |why: &str| {
        Error::config(format!("{variable}=`{text}` cannot be read: {why}"))
            .reason(MALFORMED_CONFIG)
            .help("use a number with a unit, such as 512MB or 2GB")
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let number: f64 = digits.trim().parse().map_err(|_| malformed("it does not begin with a number"))?;
    let unit = text[digits.len()..].trim().to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(malformed("the unit is not known")),
    };
    let bytes = (number * 1024f64.powi(power)) as u64;
    if bytes < MIN_BYTES {
        return Err(malformed(&format!("it takes {} MB at least", MIN_BYTES >> 20)));
    }
    Ok(bytes)
}

/// The default limit for each of `processes` on this machine: a fraction of the memory of the machine or the
/// container.
pub fn default_bytes(processes: usize) -> u64 {
    let machine = machine_bytes().unwrap_or(FALLBACK_BYTES);
    let all = container_bytes().map_or(machine, |limit| limit.min(machine));
    (all / DEFAULT_SHARE.1 * DEFAULT_SHARE.0 / processes.max(1) as u64).max(MIN_BYTES)
}

fn machine_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

/// The memory limit of this process's control group, version 2 or 1.
fn container_bytes() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        let read = |text| parse_bytes("KILN_MEMORY", text).unwrap();
        assert_eq!(["256MB", "256 mib", "268435456", "0.25g"].map(read), [256 << 20; 4]);
    }

    #[test]
    fn what_is_no_size_is_a_config_error_that_says_so() {
        for text in ["", "MB", "12XB", "-3GB", "1MB", "NaN"] {
            let error = parse_bytes("KILN_MEMORY", text).unwrap_err();
            assert_eq!(error.class().exit_code(), 78, "{text}");
            assert!(error.to_string().starts_with(&format!("KILN_MEMORY=`{text}`")), "{error}");
        }
    }

    #[test]
    fn the_default_is_shared_by_the_processes_of_a_machine() {
        assert!(default_bytes(1) >= default_bytes(2) && default_bytes(2) >= MIN_BYTES);
    }
}
