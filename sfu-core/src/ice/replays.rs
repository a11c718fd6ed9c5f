//! Checks that came before. Whoever has seen one on its way can send it again from wherever they like, or under any source
//! address, and its signature holds: by that alone media must not go there.

use std::collections::VecDeque;

use rtc_stun::message::TransactionId;

/// Valid checks that one transport remembers: those of three hours on a path that is checked every 2.5 s, in 16 KiB. At the limit
/// the oldest is forgotten.
pub const MAX_REMEMBERED_CHECKS: usize = 4096;

/// The latest valid checks, each by 32 bits of its transaction id, which is random (RFC 8489 section 5). Where two are alike by
/// chance the later one is without effect, and the peer's next check is not.
#[derive(Debug, Default)]
pub(super) struct Replays {
    seen: VecDeque<u32>,
}

impl Replays {
    /// Notes a valid check. Whether it came before.
    pub(super) fn handle_check(&mut self, id: TransactionId) -> bool {
        let digest = digest(id);
        if self.seen.contains(&digest) {
            return true;
        }
        if self.seen.len() >= MAX_REMEMBERED_CHECKS {
            self.seen.pop_front();
        }
        self.seen.push_back(digest);
        false
    }
}

fn digest(TransactionId(id): TransactionId) -> u32 {
    id.as_chunks().0.iter().fold(0, |digest, word| digest ^ u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> TransactionId {
        let mut id = [7; 12];
        id[4..].copy_from_slice(&(number as u64).to_be_bytes());
        TransactionId(id)
    }

    #[test]
    fn a_check_is_remembered_until_so_many_others_have_come() {
        let mut replays = Replays::default();
        for number in 0..MAX_REMEMBERED_CHECKS {
            assert!(!replays.handle_check(id(number)));
        }
        assert!(replays.handle_check(id(0)));
        assert!(!replays.handle_check(id(MAX_REMEMBERED_CHECKS)));
        assert!(!replays.handle_check(id(0)), "the oldest made room");
        assert!(replays.handle_check(id(2)));
        assert_eq!(replays.seen.len(), MAX_REMEMBERED_CHECKS);
    }
}
