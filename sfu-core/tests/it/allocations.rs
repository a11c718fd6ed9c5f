//! Memory, counted by the test binary's allocator.

/// What an action left behind and asked for.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Bytes alive afterwards, less those alive before.
    pub live_bytes: i64,
    /// Calls of the allocator.
    pub calls: u64,
}

/// Counts what `action` allocates on this thread.
pub fn count(action: impl FnOnce()) -> Counted {
    let info = allocation_counter::measure(action);
    Counted { live_bytes: info.bytes_current, calls: info.count_total }
}
