//! Properties of the core that hold for every input. Each target checks one; README.md describes the inputs.

pub mod targets;
