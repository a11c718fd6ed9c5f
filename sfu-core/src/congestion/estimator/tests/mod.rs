//! Tests of the whole estimator.
