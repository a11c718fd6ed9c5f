//! Transports on which nothing happens.

use std::time::Instant;

use simulation::{Input, World, s};

use super::Body;

/// Transports of the core; their number hardly matters, a heap being what it is.
const TRANSPORTS: usize = 50;

struct Idle {
    world: World,
    input: Option<Input>,
    /// Until when seconds are counted.
    counted: Instant,
}

pub(super) fn transports() -> Box<dyn Body> {
    let mut world = World::new(1);
    for _ in 0..TRANSPORTS {
        world.add_peer(Default::default());
    }
    world.run_for(s(60));
    let counted = world.now;
    Box::new(Idle { world, input: None, counted })
}

impl Body for Idle {
    fn prepare(&mut self) {
        let end = self.world.now + s(60);
        self.input = self.world.next_input(end);
    }

    fn act(&mut self) {
        if let Some(input) = &mut self.input {
            input.give(self.world.now, &mut self.world.core);
        }
    }

    fn finish(&mut self) -> u64 {
        self.world.settle();
        let seconds = (self.world.now - self.counted).as_secs();
        self.counted += s(seconds);
        seconds * TRANSPORTS as u64
    }
}
