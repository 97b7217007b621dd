//! The simulator over real HTTP, with the exact body of every error.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod client;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod family;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod login;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod open_questions;
#[cfg(test)]
mod page;
#[cfg(test)]
mod patch;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod security;
#[cfg(test)]
mod set_up;
#[cfg(test)]
mod tickets;
