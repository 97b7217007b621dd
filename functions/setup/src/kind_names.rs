//! The names of kinds of alert, as the page shows them.

use domain::Kind;
use domain::alert::kind::{Category, KindInfo};

/// The name of a kind: that of its ticket type. Kinds of both boards can have one name; then it
/// says whose it is.
pub(crate) fn kind_name(info: &KindInfo, all: &[KindInfo]) -> String {
    let name = &info.type_name;
    let mut same = all.iter().filter(|other| other.type_name == *name);
    if same.nth(1).is_none() {
        return name.clone();
    }
    match info.category {
        Category::Operations => format!("{name} (operations alert)"),
        Category::CyberAlerts => format!("{name} (cyber alert)"),
    }
}

/// The name of the kind with this id, or the id if there is no such kind.
pub(crate) fn name_of(kind: &Kind, all: &[KindInfo]) -> String {
    match all.iter().find(|info| info.kind == *kind) {
        Some(info) => kind_name(info, all),
        None => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use domain::alert::kind::with_added;

    use super::*;

    #[test]
    fn kinds_of_one_name_differ_by_their_board() {
        let kinds = with_added(&[]);
        for (kind, name) in [
            ("cpu", "CPU"),
            ("next_gen_antivirus", "Next-Gen Antivirus (cyber alert)"),
            (
                "next_gen_antivirus_notification",
                "Next-Gen Antivirus (operations alert)",
            ),
            ("other", "other"),
        ] {
            assert_eq!(name_of(&Kind::parse(kind).unwrap(), &kinds), name);
        }
    }
}
