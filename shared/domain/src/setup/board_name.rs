use crate::alert::kind::Category;
use crate::text::{is_same_name, is_unprintable};

/// A board's name: 1 to 50 of .NET's characters (UTF-16 units, as ConnectWise counts), on one line,
/// without blanks around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBoardName {
    #[error("a board's name must not be empty")]
    Empty,
    #[error("a board's name must not be longer than 50 characters")]
    TooLong,
    #[error("a board's name must be plain text on one line")]
    Unprintable,
}

impl BoardName {
    const LONGEST: usize = 50;

    /// Parses what a person typed, without the blanks around it.
    ///
    /// # Errors
    /// Fails if ConnectWise would not accept it.
    pub fn parse(text: &str) -> Result<Self, InvalidBoardName> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidBoardName::Empty);
        }
        if text.encode_utf16().count() > Self::LONGEST {
            return Err(InvalidBoardName::TooLong);
        }
        if text.contains(is_unprintable) {
            return Err(InvalidBoardName::Unprintable);
        }
        Ok(Self(text.to_owned()))
    }

    /// The default name for a category's board.
    #[must_use]
    pub fn default_for(category: Category) -> Self {
        Self(category_name(category).to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether ConnectWise treats both names as the same. The boards of the two categories must
    /// have different names; otherwise the second would adopt the first.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        is_same_name(&self.0, &other.0)
    }
}

/// The category's name, which its team has too, since a board's name may be too long for a team.
pub(crate) fn category_name(category: Category) -> &'static str {
    match category {
        Category::Operations => "Operations",
        Category::CyberAlerts => "Cyber Alerts",
    }
}
