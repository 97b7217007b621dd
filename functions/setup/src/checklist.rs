//! What is still missing before a partner can go live.

use domain::setup::settings::Settings;
use serde::Serialize;
use store::Connection;

use crate::step::SetupStep;

/// Something to do, and the page for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MissingPart {
    pub(crate) what: &'static str,
    pub(crate) path: &'static str,
}

/// The missing parts, according to what is stored.
pub(crate) fn missing_parts(
    connection: Option<&Connection>,
    settings: Option<&Settings>,
    has_contact: bool,
) -> Vec<MissingPart> {
    let epoch = connection.map(|connection| connection.epoch);
    let settings =
        settings.filter(|settings| epoch.is_some_and(|epoch| settings.belongs_to(epoch)));
    let parts = [
        (
            connection.is_none(),
            "a connection to ConnectWise",
            SetupStep::Connection,
        ),
        (
            settings.is_none(),
            "the boards that tickets go to",
            SetupStep::Boards,
        ),
        (
            !has_contact,
            "a confirmed contact that receives mails about a broken connection",
            SetupStep::Contacts,
        ),
    ];
    let missing = parts.into_iter().filter(|(is_missing, ..)| *is_missing);
    missing
        .map(|(_, what, step)| MissingPart {
            what,
            path: step.path(),
        })
        .collect()
}

/// "1 alert", "2 alerts".
pub(crate) fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_part_is_named() {
        let connection = Connection {
            origin: "https://na.myconnectwise.net".into(),
            company_id: "acme".into(),
            epoch: 2,
            confirmed: false,
            confirmed_at: None,
            suspended: false,
        };
        let settings = |epoch| Settings {
            epoch: Some(epoch),
            ..Settings::default()
        };
        let paths = |connection, settings: Option<&Settings>, contact| {
            let missing = missing_parts(connection, settings, contact);
            missing
                .into_iter()
                .map(|missing| missing.path)
                .collect::<Vec<_>>()
        };
        let (connect, boards, contact) = ("connection", "boards", "contacts");
        assert_eq!(paths(None, None, false), [connect, boards, contact]);
        assert_eq!(paths(Some(&connection), None, true), [boards]);
        assert_eq!(paths(Some(&connection), Some(&settings(1)), true), [boards]);
        assert_eq!(
            paths(Some(&connection), Some(&settings(2)), false),
            [contact]
        );
        assert_eq!(paths(Some(&connection), Some(&settings(2)), true), [""; 0]);
    }
}
