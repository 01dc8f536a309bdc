//! Events and their codec, aggregates, mechanisms, draw and epoch fold: pure functions of recorded facts
