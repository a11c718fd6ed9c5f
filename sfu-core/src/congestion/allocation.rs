//! Who gets how much of a receiver's bandwidth.
