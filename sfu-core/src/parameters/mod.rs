//! The wire types: field for field those of mediasoup 3.
