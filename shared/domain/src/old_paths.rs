//! The paths that other crates still use.

pub mod access {
    pub use crate::setup::access::Invitation;
    pub use crate::setup::access::PageSession;
    pub use crate::setup::access::Partner;
    pub use crate::setup::access::TokenHash;
}
pub mod adopt {
    pub use crate::ticketing::adopt::adopt;
    pub use crate::ticketing::adopt::apply_recheck;
    pub use crate::ticketing::found_ticket::FoundTicket;
    pub use crate::ticketing::prior_tickets::adopt_prior_tickets;
}
pub mod boards {
    pub use crate::setup::board_issue::BoardIssue;
    pub use crate::setup::board_issue::BoardUnusable;
    pub use crate::setup::board_name::BoardName;
    pub use crate::setup::board_name::InvalidBoardName;
    pub use crate::setup::board_targets::choose_boards;
    pub use crate::setup::board_targets::connectwise_defaults;
    pub use crate::setup::board_targets::existing_board_target;
    pub use crate::setup::dedicated_board::BoardDecision;
    pub use crate::setup::dedicated_board::BoardProgress;
    pub use crate::setup::dedicated_board::BoardStep;
    pub use crate::setup::dedicated_board::DesiredBoard;
    pub use crate::setup::dedicated_board::item_count;
    pub use crate::setup::dedicated_board::next_board_step;
    pub use crate::setup::found_board::BoardParts;
    pub use crate::setup::found_board::ExistingBoards;
    pub use crate::setup::found_board::FoundBoard;
    pub use crate::setup::found_board::FoundStatus;
    pub use crate::setup::found_board::FoundTeam;
    pub use crate::setup::found_board::FoundType;
}
pub mod breaker {
    pub use crate::connection::breaker::Breaker;
    pub use crate::connection::breaker::CallOutcome;
    pub use crate::connection::breaker::exceeds_queue_wait;
}
pub mod choices {
    pub use crate::setup::choices::BoardChoice;
    pub use crate::setup::choices::TargetIssue;
    pub use crate::setup::choices::check_closing_status;
    pub use crate::setup::choices::check_start_status;
    pub use crate::setup::choices::check_type;
    pub use crate::setup::choices::default_priorities;
    pub use crate::setup::choices::find_target_issues;
    pub use crate::setup::choices::merge_types;
}
pub mod command {
    pub use crate::alert::command::Command;
    pub use crate::alert::command::CommandAction;
    pub use crate::alert::resolution::Resolution;
}
pub mod contact {
    pub use crate::setup::contact::CONFIRM_WITHIN;
    pub use crate::setup::contact::Contact;
    pub use crate::setup::contact::Pending;
    pub use crate::setup::contact::TooManyMails;
}
pub mod decide {
    pub use crate::ticketing::decide::can_look_up;
    pub use crate::ticketing::decide::decide;
    pub use crate::ticketing::decision::Decision;
    pub use crate::ticketing::decision::Idle;
    pub use crate::ticketing::ticket_write::NoteContent;
    pub use crate::ticketing::ticket_write::TicketCreation;
    pub use crate::ticketing::ticket_write::TicketReopening;
    pub use crate::ticketing::ticket_write::TicketWrite;
}
pub mod done {
    pub use crate::ticketing::write_effect::ObservedTicket;
    pub use crate::ticketing::write_effect::WriteEffect;
    pub use crate::ticketing::write_effect::apply_effect;
    pub use crate::ticketing::write_effect::apply_observation;
    pub use crate::ticketing::write_effect::observed_effect;
}
pub mod event {
    pub use crate::alert::event::AlertChange;
    pub use crate::alert::event::Event;
    pub use crate::alert::event::EventDigest;
    pub use crate::alert::event::EventOrder;
    pub use crate::alert::event::Particulars;
    pub use crate::alert::event::Payload;
    pub use crate::alert::event::Receipt;
    pub use crate::alert::event::Severity;
    pub use crate::closing::snapshot_part::SnapshotPart;
}
pub mod fold {
    pub use crate::alert::fold::fold;
}
pub mod folded {
    pub use crate::alert::folded_events::FoldedEvents;
}
pub mod health {
    pub use crate::monitoring::health::Health;
    pub use crate::monitoring::health::Incident;
    pub use crate::monitoring::health::Notification;
    pub use crate::monitoring::health::Probe;
    pub use crate::monitoring::health::ProbeAnswer;
    pub use crate::monitoring::health::transition;
    pub use crate::monitoring::issue::CompanyIssue;
    pub use crate::monitoring::issue::ConnectionRefusal;
    pub use crate::monitoring::issue::IncidentScope;
    pub use crate::monitoring::issue::Issue;
    pub use crate::monitoring::issue::Outage;
    pub use crate::monitoring::issue::ProbeArea;
    pub use crate::monitoring::issue::summarize;
    pub use crate::monitoring::requirements::Requirements;
}
pub mod key {
    pub use crate::alert::key::AlertKey;
    pub use crate::alert::key::ItemKey;
    pub use crate::alert::key::SHARDS;
    pub use crate::alert::key::TicketRef;
    pub use crate::alert::key::shard;
}
pub mod kind {
    pub use crate::alert::kind::BUILT_IN;
    pub use crate::alert::kind::Category;
    pub use crate::alert::kind::KindInfo;
    pub use crate::alert::kind::category_of;
    pub use crate::alert::kind::with_added;
}
pub mod message {
    pub use crate::wire::message::ENVELOPE_VERSION;
    pub use crate::wire::message::Message;
    pub use crate::wire::message::RejectedEvents;
    pub use crate::wire::message::UnreadableMessage;
}
pub mod pipeline {
    pub use crate::monitoring::pipeline::EventCount;
    pub use crate::monitoring::pipeline::PipelineIncident;
    pub use crate::monitoring::pipeline::PipelineIssue;
    pub use crate::monitoring::pipeline::PipelineNotification;
    pub use crate::monitoring::pipeline::PipelineState;
    pub use crate::monitoring::pipeline::Schedule;
    pub use crate::monitoring::pipeline::Ticks;
    pub use crate::monitoring::pipeline::UNFINISHED_TOO_LONG;
    pub use crate::monitoring::pipeline::UnfinishedMessage;
    pub use crate::monitoring::pipeline::issues;
    pub use crate::monitoring::pipeline::minute;
    pub use crate::monitoring::pipeline::notified;
    pub use crate::monitoring::pipeline::transition;
}
pub mod plan {
    pub use crate::closing::alert_set::AlertSet;
    pub use crate::closing::census::Census;
    pub use crate::closing::census_entry::Scope;
    pub use crate::closing::guard::Approval;
    pub use crate::closing::guard::DAY;
    pub use crate::closing::guard::RecentClosing;
    pub use crate::closing::proposal::Proposal;
    pub use crate::closing::proposal::ProposedAction;
    pub use crate::closing::resolution_plan::Hold;
    pub use crate::closing::resolution_plan::ResolutionPlan;
    pub use crate::closing::resolution_plan::ResolvedAlerts;
    pub use crate::closing::resolution_plan::ScopeSnapshots;
    pub use crate::closing::ticket_comparison::Comparison;
    pub use crate::closing::ticket_comparison::RecordedTickets;
}
pub mod preview {
    pub use crate::alert::forecast::Forecast;
    pub use crate::alert::forecast::forecast;
}
pub mod reaction {
    pub use crate::alert::blocked::Blocked;
    pub use crate::alert::blocked::TicketTarget;
    pub use crate::ticketing::reaction::Reaction;
}
pub mod record {
    pub use crate::alert::blocked::BlockedSince;
    pub use crate::alert::blocked::CallRefusal;
    pub use crate::alert::record::Actual;
    pub use crate::alert::record::AlertDetails;
    pub use crate::alert::record::Claim;
    pub use crate::alert::record::ClosedBy;
    pub use crate::alert::record::ClosedTicket;
    pub use crate::alert::record::Desired;
    pub use crate::alert::record::Duplicate;
    pub use crate::alert::record::NoteKind;
    pub use crate::alert::record::Op;
    pub use crate::alert::record::OpenTicket;
    pub use crate::alert::record::Recheck;
    pub use crate::alert::record::Record;
    pub use crate::alert::record::TicketEnd;
}
pub mod refusals {
    pub use crate::ticketing::refused_writes::GroupFindings;
    pub use crate::ticketing::refused_writes::RefusalCause;
    pub use crate::ticketing::refused_writes::RefusalGroup;
    pub use crate::ticketing::refused_writes::RefusalGroupId;
    pub use crate::ticketing::refused_writes::RefusalGroups;
    pub use crate::ticketing::refused_writes::RefusalSurvey;
    pub use crate::ticketing::refused_writes::RefusedAlert;
    pub use crate::ticketing::refused_writes::RefusedTarget;
    pub use crate::ticketing::refused_writes::RetryState;
    pub use crate::ticketing::refused_writes::TargetQuestion;
    pub use crate::ticketing::refused_writes::TargetUsability;
    pub use crate::ticketing::refused_writes::fingerprint;
}
pub mod release {
    pub use crate::alert::release::BlockStatus;
    pub use crate::alert::release::block_status;
}
pub mod rights {
    pub use crate::setup::rights::COMPANIES_INQUIRE;
    pub use crate::setup::rights::Level;
    pub use crate::setup::rights::ListedRights;
    pub use crate::setup::rights::MEMBERS_INQUIRE;
    pub use crate::setup::rights::MY_ACCOUNT_INQUIRE;
    pub use crate::setup::rights::MY_COMPANY_INQUIRE;
    pub use crate::setup::rights::Right;
    pub use crate::setup::rights::RightNeed;
    pub use crate::setup::rights::RightStatus;
    pub use crate::setup::rights::TABLE;
    pub use crate::setup::rights::TABLES_ADD;
    pub use crate::setup::rights::TABLES_EDIT;
    pub use crate::setup::rights::TABLES_INQUIRE;
    pub use crate::setup::rights::TICKETS_ADD;
    pub use crate::setup::rights::TICKETS_CLOSE;
    pub use crate::setup::rights::TICKETS_EDIT;
    pub use crate::setup::rights::TICKETS_INQUIRE;
    pub use crate::setup::rights::find;
    pub use crate::setup::rights::right_status;
}
pub mod same_connectwise {
    pub use crate::setup::same_connectwise::KnownConnectWise;
}
pub mod settings {
    pub use crate::connection::view::ConnectionView;
    pub use crate::connection::view::LiveConnection;
    pub use crate::setup::mapping::ChosenCompany;
    pub use crate::setup::mapping::Mapping;
    pub use crate::setup::settings::BoardTarget;
    pub use crate::setup::settings::OnResolve;
    pub use crate::setup::settings::Settings;
}
pub mod similar {
    pub use crate::alert::similar::form;
}
pub mod snapshot {
    pub use crate::closing::snapshot::IdMatch;
    pub use crate::closing::snapshot::STALE;
    pub use crate::closing::snapshot::Snapshot;
    pub use crate::closing::snapshot::SnapshotMatches;
    pub use crate::closing::snapshot::SnapshotPartHead;
    pub use crate::closing::snapshot::SnapshotVerdict;
    pub use crate::closing::snapshot::Snapshots;
    pub use crate::closing::snapshot::WatchedAlerts;
}
pub mod test_alert {
    pub use crate::alert::test_alert::key;
    pub use crate::alert::test_alert::kind_for;
    pub use crate::alert::test_alert::raised;
    pub use crate::alert::test_alert::resolved;
}
pub mod ticket {
    pub use crate::ticketing::ticket_text::MAX_SUMMARY;
    pub use crate::ticketing::ticket_text::description;
    pub use crate::ticketing::ticket_text::duplicate_note;
    pub use crate::ticketing::ticket_text::kept_note;
    pub use crate::ticketing::ticket_text::reopened_note;
    pub use crate::ticketing::ticket_text::repeat_note;
    pub use crate::ticketing::ticket_text::resolved_note;
    pub use crate::ticketing::ticket_text::summary;
    pub use crate::ticketing::ticket_text::unreachable_ticket_text;
}
pub mod ticket_index {
    pub use crate::ticketing::ticket_index::Sentinel;
    pub use crate::ticketing::ticket_index::Sentinels;
    pub use crate::ticketing::ticket_index::TicketIndex;
    pub use crate::ticketing::ticket_index::TicketIndexState;
}
pub mod transport {
    pub use crate::wire::transport::is_protected;
}
pub mod webhook {
    pub use crate::wire::webhook::AlertData;
    pub use crate::wire::webhook::DroppedFields;
    pub use crate::wire::webhook::EventRejection;
    pub use crate::wire::webhook::InvalidField;
    pub use crate::wire::webhook::MAX_DESCRIPTION;
    pub use crate::wire::webhook::MAX_EVENTS;
    pub use crate::wire::webhook::ParsedBody;
    pub use crate::wire::webhook::RequestTimes;
    pub use crate::wire::webhook::ResolvedData;
    pub use crate::wire::webhook::SnapshotData;
    pub use crate::wire::webhook::SourcePolicy;
    pub use crate::wire::webhook::UnreadableBody;
    pub use crate::wire::webhook::parse;
    pub use crate::wire::webhook::schema;
}
