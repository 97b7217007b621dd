//! All companies of a ConnectWise, as they were read at one time, and those that a tenant may be.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::RecordId;
use crate::monitoring::issue::CompanyIssue;
use crate::setup::company_name::{NameKey, similarity};
use crate::text::folded_name;

/// Companies that are suggested for one tenant. A person searches for any other.
const MAX_SUGGESTED: usize = 3;
/// Names below are not suggested.
const MIN_SIMILARITY: f64 = 0.9;
/// A word of more companies than these says too little about one.
const MAX_SHARING: usize = 200;
/// Letters at the start of a name by which names with a misspelled word are found.
const START: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedCompany {
    pub id: RecordId,
    /// The short name, unique among companies.
    pub identifier: String,
    pub name: String,
    /// Why no ticket can be created for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<CompanyIssue>,
}

/// The companies by what they are searched by. A deleted company has no name: another one may have
/// been created in its place.
#[derive(Debug, Default)]
pub struct CompanyIndex {
    companies: Vec<ListedCompany>,
    keys: Vec<NameKey>,
    by_id: HashMap<RecordId, usize>,
    by_identifier: HashMap<String, usize>,
    by_key: HashMap<NameKey, Vec<usize>>,
    /// The companies of each word, and of the start of each name.
    by_part: HashMap<String, Vec<usize>>,
}

/// Companies that a tenant may be, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suggestions<'a> {
    /// The only company of exactly this name, if a ticket can be created for it.
    pub exact: Option<&'a ListedCompany>,
    /// The best first, the exact one included, inactive ones too.
    pub companies: Vec<&'a ListedCompany>,
}

/// What a person's text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundCompany<'a> {
    One(&'a ListedCompany),
    None,
    /// It names several.
    Ambiguous,
}

impl CompanyIndex {
    #[must_use]
    pub fn new(companies: Vec<ListedCompany>) -> Self {
        let mut index = Self::default();
        for (n, company) in companies.iter().enumerate() {
            index.by_id.insert(company.id, n);
            let identifier = folded_name(&company.identifier);
            index.by_identifier.insert(identifier, n);
            let key = match company.issue {
                Some(CompanyIssue::Deleted) => NameKey::of(""),
                _ => NameKey::of(&company.name),
            };
            if !key.as_str().is_empty() {
                for part in parts(&key) {
                    index.by_part.entry(part).or_default().push(n);
                }
                index.by_key.entry(key.clone()).or_default().push(n);
            }
            index.keys.push(key);
        }
        index.companies = companies;
        index
    }

    #[must_use]
    pub fn get(&self, id: RecordId) -> Option<&ListedCompany> {
        self.by_id.get(&id).map(|n| &self.companies[*n])
    }

    /// The companies that a tenant of this name may be.
    ///
    /// The exact one has the same name but for case, accents, punctuation and legal form, and no
    /// other company has. Of several, the one is exact that ConnectWise treats as having the same
    /// name.
    #[must_use]
    pub fn suggest(&self, name: &str) -> Suggestions<'_> {
        let key = NameKey::of(name);
        let (spelled, same) = self.of_name(name, &key);
        let mut found = spelled.clone();
        found.extend(same.iter().filter(|n| !spelled.contains(n)));
        if found.len() < MAX_SUGGESTED {
            found.extend(self.similar(&key, same));
        }
        found.truncate(MAX_SUGGESTED);
        Suggestions {
            exact: self.exact(name),
            companies: found.into_iter().map(|n| &self.companies[n]).collect(),
        }
    }

    /// The exact one of [`Self::suggest`], without a search for similar names.
    #[must_use]
    pub fn exact(&self, name: &str) -> Option<&ListedCompany> {
        match self.by_name(name) {
            FoundCompany::One(company) => Some(company).filter(|of| of.issue.is_none()),
            FoundCompany::None | FoundCompany::Ambiguous => None,
        }
    }

    /// The companies of similar names, the most similar first, without those of the same one.
    fn similar(&self, key: &NameKey, same: &[usize]) -> Vec<usize> {
        let candidates: BTreeSet<usize> = parts(key)
            .filter_map(|part| self.by_part.get(&part))
            .filter(|sharing| sharing.len() <= MAX_SHARING)
            .flatten()
            .copied()
            .filter(|n| !same.contains(n))
            .collect();
        // Compared as whole numbers, so that equal names stay in the order of their ids.
        let score = |n: usize| (similarity(key, &self.keys[n]) * 1_000_000.0).round();
        let mut scored: Vec<_> = candidates
            .into_iter()
            .map(|n| (score(n), n))
            .filter(|(score, _)| *score >= MIN_SIMILARITY * 1_000_000.0)
            .collect();
        scored.sort_by(|(one, m), (other, n)| other.total_cmp(one).then(m.cmp(n)));
        scored.into_iter().map(|(_, n)| n).collect()
    }

    /// The company of a number or an identifier.
    #[must_use]
    pub fn by_number_or_identifier(&self, text: &str) -> FoundCompany<'_> {
        let text = text.trim();
        let number = text.parse().ok().and_then(|id| self.by_id.get(&id));
        let identifier = self.by_identifier.get(&folded_name(text));
        match (number, identifier) {
            (Some(one), Some(other)) if one != other => FoundCompany::Ambiguous,
            (Some(n), _) | (None, Some(n)) => FoundCompany::One(&self.companies[*n]),
            (None, None) => FoundCompany::None,
        }
    }

    /// The company of exactly this name, whether or not a ticket can be created for it.
    #[must_use]
    pub fn by_name(&self, name: &str) -> FoundCompany<'_> {
        let (spelled, same) = self.of_name(name, &NameKey::of(name));
        match the_one(&spelled, same) {
            Some(n) => FoundCompany::One(&self.companies[n]),
            None if same.is_empty() => FoundCompany::None,
            None => FoundCompany::Ambiguous,
        }
    }

    /// The companies with this key, and those of them that ConnectWise treats as having this name.
    fn of_name(&self, name: &str, key: &NameKey) -> (Vec<usize>, &[usize]) {
        let same = self.by_key.get(key).map_or(&[][..], Vec::as_slice);
        let folded = folded_name(name);
        let is_spelled = |n: &usize| folded_name(&self.companies[*n].name) == folded;
        (same.iter().copied().filter(is_spelled).collect(), same)
    }
}

/// The only company of a name: by its spelling if one is spelled so, else by its key.
fn the_one(spelled: &[usize], same: &[usize]) -> Option<usize> {
    match (spelled, same) {
        ([n], _) | ([], [n]) => Some(*n),
        _ => None,
    }
}

/// The words of a name, the rarest of which lead to similar names, and its start.
fn parts(key: &NameKey) -> impl Iterator<Item = String> {
    let letters = key.as_str().chars().filter(|c| *c != ' ');
    let start: String = letters.take(START).collect();
    let words = key.words().map(str::to_owned);
    words.chain([format!("{start}*")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(id: RecordId, name: &str, issue: Option<CompanyIssue>) -> ListedCompany {
        ListedCompany {
            id,
            identifier: format!("C{id}"),
            name: name.to_owned(),
            issue,
        }
    }

    fn index() -> CompanyIndex {
        CompanyIndex::new(vec![
            company(1, "Acme Dental, Inc.", None),
            company(2, "Acme Dental", Some(CompanyIssue::Deleted)),
            company(3, "Baker Ltd", None),
            company(4, "Baker GmbH", None),
            company(5, "Cedar", Some(CompanyIssue::Inactive)),
            company(6, "Dunmore Logistics", None),
            company(7, "Dunmore Logistic", None),
            company(8, "Elm 1", None),
            company(9, "Elm 2", None),
            // An identifier that is another company's number.
            ListedCompany {
                identifier: "8".to_owned(),
                ..company(10, "Fir", None)
            },
        ])
    }

    #[test]
    fn an_exact_match_is_unique_and_usable() {
        let index = index();
        for (name, exact, suggested) in [
            // A deleted company of the same name does not count.
            ("ACMÉ dental", Some(1), &[1][..]),
            // Two differ in their legal form only.
            ("Baker", None, &[3, 4]),
            ("baker ltd", Some(3), &[3, 4]),
            ("Baker Inc", None, &[3, 4]),
            // Inactive: suggested, so that a person sees why there is no other.
            ("Cedar", None, &[5]),
            ("Dunmore Logistics", Some(6), &[6, 7]),
            ("Dunmor Logistics", None, &[6, 7]),
            ("Elm 1", Some(8), &[8]),
            ("Elm 3", None, &[]),
            ("…", None, &[]),
        ] {
            let found = index.suggest(name);
            assert_eq!(found.exact.map(|of| of.id), exact, "{name}");
            let ids: Vec<_> = found.companies.iter().map(|of| of.id).collect();
            assert_eq!(ids, suggested, "{name}");
        }
    }

    #[test]
    fn a_text_names_one_company_or_is_ambiguous() {
        let index = index();
        let id = |found: FoundCompany<'_>| match found {
            FoundCompany::One(company) => Ok(company.id),
            other @ (FoundCompany::None | FoundCompany::Ambiguous) => Err(format!("{other:?}")),
        };
        for (text, expected) in [
            ("3", Ok(3)),
            (" c3 ", Ok(3)),
            ("2", Ok(2)),
            ("99", Err("None".to_owned())),
            ("8", Err("Ambiguous".to_owned())),
            ("", Err("None".to_owned())),
        ] {
            assert_eq!(id(index.by_number_or_identifier(text)), expected, "{text}");
        }
        for (name, expected) in [
            ("Acme Dental", Ok(1)),
            ("cedar", Ok(5)),
            ("Baker", Err("Ambiguous".to_owned())),
            ("Baker GmbH", Ok(4)),
            ("Dunmor", Err("None".to_owned())),
        ] {
            assert_eq!(id(index.by_name(name)), expected, "{name}");
        }
    }
}
