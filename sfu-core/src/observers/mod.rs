//! Who speaks, and how loud: watching a router's audio producers.
