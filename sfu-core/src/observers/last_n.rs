//! Whose video is worth forwarding: that of the participants that spoke last.

use super::Change;

/// The participants in the order in which they spoke last, and the first N of them, who are selected.
///
/// A participant `P` is whatever the caller groups producers by, such as the transport that publishes. Those who never
/// spoke stand at the end in the order in which they came: they fill the places that are free, and lose them first.
#[derive(Debug)]
pub struct LastN<P> {
    limit: Option<usize>,
    /// Who spoke last is first.
    order: Vec<P>,
}

impl<P: Copy + Eq> LastN<P> {
    /// Selects `limit` participants, and everybody if there is no limit.
    pub fn new(limit: Option<usize>) -> Self {
        Self { limit, order: Vec::new() }
    }

    /// A participant came: it gets a place if one is free. One that is known stays where it is.
    pub fn add(&mut self, participant: P) -> Change<P> {
        if self.order.contains(&participant) {
            return Change::NONE;
        }
        self.order.push(participant);
        let added = (self.order.len() <= self.places()).then_some(participant);
        Change { added, removed: None }
    }

    /// A participant left: the next in the order gets its place.
    pub fn remove(&mut self, participant: P) -> Change<P> {
        let Some(rank) = self.rank(participant) else { return Change::NONE };
        self.order.remove(rank);
        if rank >= self.places() {
            return Change::NONE;
        }
        Change { added: self.last_selected_of_full(), removed: Some(participant) }
    }

    /// A participant became the dominant speaker: it gets a place, from the one who has not spoken for longest. One that
    /// was never added is not taken in.
    pub fn handle_dominant(&mut self, participant: P) -> Change<P> {
        let Some(rank) = self.rank(participant) else { return Change::NONE };
        if let Some(front) = self.order.get_mut(..=rank) {
            front.rotate_right(1);
        }
        let places = self.places();
        if rank < places || places == 0 {
            return Change::NONE;
        }
        Change { added: Some(participant), removed: self.order.get(places).copied() }
    }

    /// Whether a participant is among the selected. False for one that is not known.
    pub fn is_selected(&self, participant: P) -> bool {
        self.selected().any(|selected| selected == participant)
    }

    /// The selected, who spoke last first.
    pub fn selected(&self) -> impl Iterator<Item = P> + '_ {
        self.order.iter().take(self.places()).copied()
    }

    fn places(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    fn rank(&self, participant: P) -> Option<usize> {
        self.order.iter().position(|known| *known == participant)
    }

    /// Who has the last place, if all are taken.
    fn last_selected_of_full(&self) -> Option<P> {
        self.order.get(self.places().checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn with(limit: Option<usize>, participants: u32) -> LastN<u32> {
        let mut last_n = LastN::new(limit);
        for participant in 0..participants {
            last_n.add(participant);
        }
        last_n
    }

    fn selected(last_n: &LastN<u32>) -> Vec<u32> {
        last_n.selected().collect()
    }

    #[test]
    fn newcomers_fill_free_places_in_order_of_arrival() {
        let mut last_n = LastN::new(Some(2));
        assert_eq!(last_n.add(7), Change { added: Some(7), removed: None });
        assert_eq!(last_n.add(8), Change { added: Some(8), removed: None });
        assert_eq!(last_n.add(9), Change::NONE);
        assert_eq!(last_n.add(7), Change::NONE);
        assert_eq!(selected(&last_n), [7, 8]);
    }

    #[test]
    fn a_new_speaker_takes_the_place_of_the_one_silent_for_longest() {
        let mut last_n = with(Some(2), 4);
        assert_eq!(last_n.handle_dominant(3), Change { added: Some(3), removed: Some(1) });
        assert_eq!(last_n.handle_dominant(2), Change { added: Some(2), removed: Some(0) });
        assert_eq!(selected(&last_n), [2, 3]);
    }

    /// A turn between two who are both on screen must not touch anybody's video.
    #[test]
    fn turns_among_the_selected_change_only_the_order() {
        let mut last_n = with(Some(2), 3);
        assert_eq!(last_n.handle_dominant(1), Change::NONE);
        assert_eq!(last_n.handle_dominant(0), Change::NONE);
        assert_eq!(last_n.handle_dominant(1), Change::NONE);
        assert_eq!(last_n.handle_dominant(2), Change { added: Some(2), removed: Some(0) });
    }

    #[test]
    fn who_leaves_makes_room_for_the_next() {
        let mut last_n = with(Some(2), 4);
        assert_eq!(last_n.remove(3), Change::NONE);
        assert_eq!(last_n.remove(0), Change { added: Some(2), removed: Some(0) });
        assert_eq!(last_n.remove(1), Change { added: None, removed: Some(1) });
        assert_eq!(last_n.remove(1), Change::NONE);
        assert_eq!(selected(&last_n), [2]);
    }

    #[test]
    fn a_speaker_without_a_place_in_the_order_is_not_taken_in() {
        let mut last_n = with(Some(2), 2);
        assert_eq!(last_n.handle_dominant(9), Change::NONE);
        assert!(!last_n.is_selected(9));
    }

    #[test]
    fn no_limit_selects_everybody_and_none_selects_nobody() {
        let mut everybody = with(None, 3);
        assert_eq!(everybody.handle_dominant(2), Change::NONE);
        assert_eq!(selected(&everybody), [2, 0, 1]);
        let mut nobody = with(Some(0), 3);
        assert_eq!(nobody.handle_dominant(2), Change::NONE);
        assert_eq!(nobody.remove(0), Change::NONE);
        assert_eq!(selected(&nobody), [0; 0]);
    }

    proptest! {
        /// Whoever carries out the changes alone must end up with the selection.
        #[test]
        fn changes_add_up_to_the_selection(
            limit in proptest::option::of(0_usize..4),
            events in proptest::collection::vec((0_u8..3, 0_u32..6), 0..60),
        ) {
            let mut last_n = LastN::new(limit);
            let mut forwarded = BTreeSet::new();
            let mut present = BTreeSet::new();
            for (event, participant) in events {
                let change = match event {
                    0 => { present.insert(participant); last_n.add(participant) }
                    1 => { present.remove(&participant); last_n.remove(participant) }
                    _ => last_n.handle_dominant(participant),
                };
                if let Some(removed) = change.removed {
                    prop_assert!(forwarded.remove(&removed));
                }
                if let Some(added) = change.added {
                    prop_assert!(forwarded.insert(added));
                }
                prop_assert_eq!(&forwarded, &last_n.selected().collect::<BTreeSet<_>>());
                prop_assert_eq!(forwarded.len(), present.len().min(limit.unwrap_or(usize::MAX)));
                prop_assert!(forwarded.is_subset(&present));
                if event == 2 && present.contains(&participant) && limit != Some(0) {
                    prop_assert!(last_n.is_selected(participant));
                }
            }
        }
    }
}
