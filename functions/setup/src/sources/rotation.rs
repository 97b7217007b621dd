//! Replaces a source's signing secret, with an overlap.

use aws::secrets::SourceSecret;
use domain::Secret;
use jiff::{SignedDuration, Timestamp};

/// How long the old secret is accepted beside the new one.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Signing secrets that are accepted at the same time.
const MAX_SECRETS: usize = 2;

pub(super) struct SecretRotation {
    /// Newest first.
    pub(super) secrets: Vec<SourceSecret>,
    /// The number of secrets that were accepted before and are not any more.
    pub(super) ended: usize,
}

pub(super) fn rotate(old: Vec<SourceSecret>, new: Secret, now: Timestamp) -> SecretRotation {
    let end = now.saturating_add(OVERLAP).unwrap_or(now);
    let mut secrets = vec![SourceSecret {
        value: new,
        not_after: None,
    }];
    let live = old
        .into_iter()
        .filter(|secret| secret.not_after.is_none_or(|until| now <= until));
    secrets.extend(live.map(|secret| SourceSecret {
        not_after: Some(secret.not_after.map_or(end, |until| until.min(end))),
        ..secret
    }));
    let ended = secrets.len().saturating_sub(MAX_SECRETS);
    secrets.truncate(MAX_SECRETS);
    SecretRotation { secrets, ended }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap()
    }

    /// Each secret's name with the hour of its end.
    fn after(secrets: &[(&str, Option<i64>)], hour: i64) -> (Vec<(String, Option<i64>)>, usize) {
        let old = secrets.iter().map(|(value, until)| SourceSecret {
            value: Secret::new(*value),
            not_after: until.map(at),
        });
        let rotated = rotate(old.collect(), Secret::new("new"), at(hour));
        let hour = |until: Timestamp| until.duration_since(at(0)).as_hours();
        let secrets = rotated.secrets.into_iter().map(|secret| {
            let until = secret.not_after.map(hour);
            (secret.value.expose().to_owned(), until)
        });
        (secrets.collect(), rotated.ended)
    }

    #[test]
    fn the_old_secret_expires_after_a_day_at_most() {
        let named = |secrets: &[(&str, Option<i64>)]| {
            let secrets = secrets
                .iter()
                .map(|(name, until)| ((*name).to_owned(), *until));
            secrets.collect::<Vec<_>>()
        };
        for (old, hour, expected, ended) in [
            (&[][..], 0, &[("new", None)][..], 0),
            (&[("a", None)], 0, &[("new", None), ("a", Some(24))], 0),
            (&[("a", Some(5))], 0, &[("new", None), ("a", Some(5))], 0),
            (
                &[("b", None), ("a", Some(5))],
                6,
                &[("new", None), ("b", Some(30))],
                0,
            ),
            (
                &[("b", None), ("a", Some(24))],
                6,
                &[("new", None), ("b", Some(30))],
                1,
            ),
        ] {
            assert_eq!(after(old, hour), (named(expected), ended), "{old:?}");
        }
    }
}
