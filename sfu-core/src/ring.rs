//! Where what is numbered lies in a ring that becomes as long as it has to be. What lies there is in the owner's vectors.

/// A ring's length, and where it begins. Its places fill from the front, so that they can be made as they are first needed.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    /// At the beginning. All three are powers of two.
    shortest: usize,
    len: usize,
    /// At most.
    capacity: usize,
    /// The number that the first place is for, modulo the length.
    phase: u64,
}

impl Ring {
    /// A ring of `shortest` places, which may become `capacity`, both rounded up to powers of two.
    pub(crate) fn new(shortest: usize, capacity: usize) -> Self {
        let capacity = capacity.max(1).next_power_of_two();
        let shortest = shortest.next_power_of_two().min(capacity);
        Self { shortest, len: shortest, capacity, phase: 0 }
    }

    /// Begins with this number, and as short as at first.
    pub(crate) fn begin(&mut self, number: u64) {
        (self.len, self.phase) = (self.shortest, number);
    }

    /// Where the thing with this number lies, if it is there.
    #[inline]
    pub(crate) fn place(&self, number: u64) -> usize {
        (number.wrapping_sub(self.phase) & (self.len as u64 - 1)) as usize
    }

    /// Whether it is as long as it may become.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// Makes it twice as long, unless it is full. What lies in it is then to be [moved](Self::moved).
    pub(crate) fn double(&mut self) {
        self.len = (2 * self.len).min(self.capacity);
    }

    /// What lay in the ring before it was doubled, where it lies now. `number_of` tells the number of what was at a place; what has
    /// none is left out.
    pub(crate) fn moved<T: Default>(&self, old: Vec<T>, number_of: impl Fn(usize, &T) -> Option<u64>) -> Vec<T> {
        let mut places = Vec::with_capacity(if old.is_empty() { 0 } else { self.len });
        for (at, thing) in old.into_iter().enumerate() {
            if let Some(number) = number_of(at, &thing)
                && let Some(place) = made(&mut places, self.place(number))
            {
                *place = thing;
            }
        }
        places
    }
}

/// A place, which is made if it is needed for the first time.
#[inline]
pub(crate) fn made<T: Default>(places: &mut Vec<T>, at: usize) -> Option<&mut T> {
    if at >= places.len() {
        places.resize_with(at + 1, T::default);
    }
    places.get_mut(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_ring_is_found_again_when_it_has_grown() {
        let mut ring = Ring::new(2, 5);
        ring.begin(u64::MAX - 1);
        let mut places = Vec::new();
        for number in [u64::MAX, 0] {
            *made(&mut places, ring.place(number)).unwrap() = Some(number);
        }
        assert_eq!(places, [Some(0), Some(u64::MAX)], "from the front");
        ring.double();
        places = ring.moved(places, |_, number| *number);
        assert_eq!(places, [None, Some(u64::MAX), Some(0)]);
        assert_eq!(places[ring.place(0)], Some(0));
        assert!(!ring.is_full());
        ring.double();
        ring.double();
        assert!(ring.is_full());
        assert_eq!(ring.place(6), 0, "the length of eight that five were rounded up to");
    }

    #[test]
    fn a_ring_begins_as_short_as_it_may_be() {
        let mut ring = Ring::new(64, 8);
        assert!(ring.is_full());
        ring = Ring::new(8, 64);
        ring.double();
        ring.begin(3);
        assert_eq!((ring.place(3), ring.place(11)), (0, 0));
    }
}
