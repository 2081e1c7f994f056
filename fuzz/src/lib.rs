//! Properties of the core that hold for every input. Each target is one; README.md says what each input is.

pub mod targets;
