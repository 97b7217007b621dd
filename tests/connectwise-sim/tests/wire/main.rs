//! The simulator over real HTTP, with the exact body of every error.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod client;
#[cfg(test)]
mod configurations;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod custom_fields;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod fault_rules;
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
mod patch;
#[cfg(test)]
mod related_tickets;
#[cfg(test)]
mod security;
#[cfg(test)]
mod setup_tables;
#[cfg(test)]
mod tickets;
