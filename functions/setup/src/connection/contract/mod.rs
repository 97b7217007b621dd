//! Compares a partner's real ConnectWise with what the code relies on. It only reads, and it names
//! no records of the partner.

mod judge;
mod reader;
mod view;

pub(crate) use reader::inspect;
pub(crate) use view::ContractView;
