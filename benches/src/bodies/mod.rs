//! What the pure core does, piece by piece: one set of bodies for the instruction counts (`instructions`) and for the times
//! (`cargo bench`).
//!
//! A body is a simulated call that comes to the same kind of work again and again. Everybody in it behaves as in a test: they
//! report, ask for repeats and key frames, and the clock moves on, so that what is measured is the steady state of a real call.
//! Only [`measured`] counts.

mod feedback;
mod forwarding;
mod idle;
mod sharing;

/// A kind of work.
pub trait Body {
    /// Comes to the next piece.
    fn prepare(&mut self);
    /// Does it.
    fn act(&mut self);
    /// Clears up. Returns how many units were done.
    fn finish(&mut self) -> u64;
}

/// What there is to measure.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What is counted as one.
    pub unit: &'static str,
    /// Pieces of work to measure: enough that what happens now and then happens about equally often.
    pub repeats: u32,
    /// Makes it, in steady state.
    pub make: fn() -> Box<dyn Body>,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub const CASES: [Case; 12] = [
    Case { name: "receive", unit: "packet", repeats: 100, make: forwarding::receive },
    Case { name: "forward-video", unit: "packet and consumer", repeats: 100, make: forwarding::video },
    Case { name: "forward-picture", unit: "packet and consumer", repeats: 40, make: forwarding::pictures },
    Case { name: "forward-simulcast", unit: "packet and consumer", repeats: 100, make: forwarding::simulcast },
    Case { name: "forward-svc", unit: "packet and consumer", repeats: 100, make: forwarding::svc },
    Case { name: "forward-audio", unit: "packet and consumer", repeats: 50, make: forwarding::audio },
    Case { name: "select-other-layer", unit: "packet and consumer", repeats: 100, make: forwarding::other_layer },
    Case { name: "answer-nack", unit: "packet repeated", repeats: 100, make: feedback::nacks },
    Case { name: "read-feedback", unit: "datagram", repeats: 100, make: feedback::incoming },
    Case { name: "write-feedback", unit: "packet reported", repeats: 50, make: feedback::outgoing },
    Case { name: "idle-transport", unit: "second", repeats: 400, make: idle::transports },
    Case { name: "share-out-1000", unit: "consumer", repeats: 10, make: sharing::thousand },
];

/// Does what is measured. Counting is switched on and off by this function's name.
#[inline(never)]
pub fn measured(body: &mut dyn Body) {
    body.act();
}
