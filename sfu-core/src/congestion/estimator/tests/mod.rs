//! Tests of the whole estimator: on simulated paths, and against receivers that lie.

mod scenarios;
mod simulator;
