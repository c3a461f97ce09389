//! The rules of transfer, pure and synchronous.
//!
//! In reading order: [`verdict`] (what the ledger says and what follows), [`movement`] (what is posted), [`order`] (what
//! the service answers for, and its states), [`claim`] (what the log says), [`case`] (what a person must decide), [`act`] (what
//! a person has decided), [`lease`] (who reads which partition), [`difference`] (what reconciliation finds).

pub mod act;
pub mod case;
pub mod claim;
pub mod difference;
pub mod lease;
pub mod movement;
pub mod order;
pub mod verdict;

pub use act::{Act, Decision, Outcome, Payee, RecordedAct};
pub use case::{Action, Actor, Case, CaseEvent, CaseKind, CaseState};
pub use claim::{Damage, LoggedClaim};
pub use difference::{Difference, DifferenceKind};
pub use movement::{Account, Movement, Reason};
pub use order::{ClaimRef, Delivery, Failure, Kind, Order, State};
pub use verdict::Verdict;
