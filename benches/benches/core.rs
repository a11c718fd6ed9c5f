//! How long the pure core takes for a packet: the same bodies whose instructions `make test` counts.
//!
//! `cargo bench -p benches` (`-- forward` for some of them). Times vary with the machine and with what else it does; to judge a
//! change compare instructions first.

use std::cell::RefCell;

use benches::bodies::{Body, CASES, Case, measured};
use divan::Bencher;
use divan::counter::ItemsCount;

/// Pieces that are looked at beforehand.
const TRIALS: usize = 20;

fn main() {
    divan::main();
}

/// One piece of work each time, for the next depends on what became of it. Items are the case's units.
#[divan::bench(args = CASES, sample_size = 1, sample_count = 500)]
fn case(bencher: Bencher<'_, '_>, case: &Case) {
    let body = RefCell::new((case.make)());
    // Of most pieces: one that only waits is none.
    let units = (0..TRIALS).map(|_| {
        let mut body = body.borrow_mut();
        body.prepare();
        body.act();
        body.finish()
    });
    let units = units.max().unwrap_or_default();
    bencher
        .with_inputs(|| body.borrow_mut().prepare())
        .input_counter(move |()| ItemsCount::new(units))
        .bench_local_values(|()| {
            measured(&mut **body.borrow_mut());
            Done(&body)
        });
}

/// What is left to do once the time was taken.
struct Done<'a>(&'a RefCell<Box<dyn Body>>);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().finish();
    }
}
