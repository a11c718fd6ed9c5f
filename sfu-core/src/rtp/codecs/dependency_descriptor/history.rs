//! The order of frames by their numbers, and what the last ones were.

use crate::rtp::layers::Layers;

/// How many frames late a packet may be. Retransmissions come within a second or two, in which four spatial layers at 60 frames
/// a second make some 500 frames. A number further back is not late: with a structure it starts a new numbering, without one it
/// is unreadable.
const MAX_LATE_FRAMES: u64 = 1024;

/// Frames whose layers are remembered. Templates refer at most 16 frames back; a longer custom reference counts as unknown.
const REMEMBERED_FRAMES: usize = 64;

/// Unwraps frame numbers.
#[derive(Debug, Default)]
pub(super) struct FrameOrder {
    newest: Option<u64>,
}

/// Where a frame is in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its unwrapped number.
    pub(super) frame: u64,
    /// The numbering starts anew.
    pub(super) restarts: bool,
}

impl FrameOrder {
    /// The place of a number. `None`: too far back to be late, and no start of a new numbering.
    pub(super) fn place(&self, number: u16, may_restart: bool) -> Option<Arrival> {
        // A turn ahead of the number, so that frames before the first have a place too.
        let start = Arrival { frame: u64::from(number) | 1 << 16, restarts: true };
        let Some(newest) = self.newest else { return Some(Arrival { restarts: false, ..start }) };
        let distance = number.wrapping_sub(newest as u16);
        if distance < 1 << 15 {
            return Some(Arrival { frame: newest + u64::from(distance), restarts: false });
        }
        let back = u64::from(distance.wrapping_neg());
        if back <= MAX_LATE_FRAMES {
            return Some(Arrival { frame: newest.checked_sub(back)?, restarts: false });
        }
        may_restart.then_some(start)
    }

    /// Takes in a frame that was readable.
    pub(super) fn accept(&mut self, arrival: Arrival) {
        let newest = if arrival.restarts { None } else { self.newest };
        self.newest = newest.max(Some(arrival.frame));
    }
}

/// What is remembered of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameRecord {
    pub(super) layers: Layers,
    pub(super) temporal_switch: bool,
}

/// A ring of the last frames.
#[derive(Debug)]
pub(super) struct History {
    frames: [Option<(u64, FrameRecord)>; REMEMBERED_FRAMES],
}

impl Default for History {
    fn default() -> Self {
        Self { frames: [None; REMEMBERED_FRAMES] }
    }
}

impl History {
    /// The frame `distance` before `frame`, if it is remembered.
    pub(super) fn before(&self, frame: u64, distance: u16) -> Option<&FrameRecord> {
        let wanted = frame.checked_sub(u64::from(distance))?;
        let (kept, record) = self.frames.get(wanted as usize % REMEMBERED_FRAMES)?.as_ref()?;
        (*kept == wanted).then_some(record)
    }

    /// Remembers a frame, unless its place is taken by a newer one.
    pub(super) fn record(&mut self, frame: u64, record: FrameRecord) {
        if let Some(place) = self.frames.get_mut(frame as usize % REMEMBERED_FRAMES)
            && place.is_none_or(|(kept, _)| kept <= frame)
        {
            *place = Some((frame, record));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(order: &mut FrameOrder, number: u16, may_restart: bool) -> Option<Arrival> {
        let arrival = order.place(number, may_restart);
        arrival.inspect(|arrival| order.accept(*arrival))
    }

    #[test]
    fn numbers_go_on_over_their_end_and_late_ones_fall_behind() {
        let mut order = FrameOrder::default();
        let first = placed(&mut order, 0xffff, false).unwrap();
        let next = placed(&mut order, 0, false).unwrap();
        assert_eq!((next.frame - first.frame, next.restarts), (1, false));
        assert_eq!(placed(&mut order, 0xfffe, true).unwrap().frame, first.frame - 1);
        assert_eq!(
            placed(&mut order, 1, false).unwrap().frame,
            next.frame + 1,
            "a late frame does not set the order back"
        );
    }

    /// Harm prevented: a publisher whose encoder numbers anew would be taken for late, and its structures left, for minutes.
    #[test]
    fn a_number_far_back_starts_anew_with_a_structure_only() {
        let mut order = FrameOrder::default();
        placed(&mut order, 20_000, true);
        let late = 20_000 - MAX_LATE_FRAMES as u16;
        assert!(!order.place(late, true).unwrap().restarts);
        assert_eq!(order.place(late - 1, false), None);
        assert!(placed(&mut order, late - 1, true).unwrap().restarts);
        assert!(!placed(&mut order, late, false).unwrap().restarts);
    }

    #[test]
    fn the_oldest_frames_are_forgotten() {
        let mut history = History::default();
        let record = FrameRecord { layers: Layers { spatial: 1, temporal: 2 }, temporal_switch: true };
        history.record(100, record);
        assert_eq!(history.before(101, 1), Some(&record));
        assert_eq!(history.before(101, 2), None);
        history.record(100 + REMEMBERED_FRAMES as u64, record);
        assert_eq!(history.before(101, 1), None);
        history.record(100, record);
        assert_eq!(history.before(101, 1), None, "a late frame does not take a newer one's place");
        assert_eq!(history.before(3, 4096), None);
    }
}
