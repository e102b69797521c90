//! The book's place. There is no book yet: until then `README.md`, `ARCHITECTURE.md`, the examples and the crates' own
//! documentation (`cargo doc --open`) are what there is to read.
