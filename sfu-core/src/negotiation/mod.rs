//! ORTC: capabilities to parameters, pure functions, equal to what mediasoup answers.
