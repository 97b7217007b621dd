//! "Check connection": whether a site and keys are good, which of them is not, and which rights the API member has.
//!
//! Nothing is written to find out. Each way to fail has its own words, for the person who is to mend it; what ConnectWise or the
//! network said goes to the log.

use std::time::Duration;

use aws::invocation::Invocation;
use aws::secrets::ConnectionSecret;
use axum::http::StatusCode;
use connections::{Connections, NoClient};
use connectwise::{
    Client, CompanyInfo, Error, HostError, MyMember, MySecurity, Origin, company_info,
};
use domain::Secret;
use domain::rights::{self, ListedRights, Right, RightStatus, right_status};
use tokio::join;

use crate::answer::Problem;

/// Keys as somebody entered them.
#[derive(Debug, Clone)]
pub(crate) struct Entered {
    pub(crate) public_key: String,
    pub(crate) private_key: Secret,
    /// The partner's own; the operator's where there is none.
    pub(crate) client_id: Option<Secret>,
}

/// A site that may be spoken to, and what it says of a company id without keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundSite {
    pub(crate) origin: Origin,
    /// As the site spells it, where it knows it.
    pub(crate) company_id: String,
    /// What the site calls that company; none where a server of somebody's own does not say: then the keys decide.
    pub(crate) company: Option<String>,
}

/// A connection that ConnectWise took.
#[derive(Debug)]
pub(crate) struct Proven {
    /// What to store: the origin and the company id are as found, not as typed.
    pub(crate) keys: ConnectionSecret,
    /// What the site calls the company, where it says so.
    pub(crate) company: Option<String>,
    /// Who the keys belong to, where it may see itself.
    pub(crate) member: Option<MyMember>,
    pub(crate) client: Client,
}

/// A stored connection that ConnectWise took.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What the site calls the company, where it says so.
    pub(crate) company: Option<String>,
    /// Who the keys belong to, where it may see itself.
    pub(crate) member: Option<MyMember>,
    pub(crate) client: Client,
}

/// Why a connection is not good, in words for the person who entered it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(
        "The site cannot be used: {0}. Paste the address that you see when you work in ConnectWise."
    )]
    NotAnAddress(HostError),
    #[error(
        "{0}. Check its spelling; if it is your own server, ask the operator of this service to list it."
    )]
    HostNotAllowed(HostError),
    #[error(
        "The site says that another host serves it, and that one cannot be used: {0}. Ask the operator of this service to list it, or enter the site that your API members use."
    )]
    ServedElsewhere(HostError),
    #[error(
        "Nothing answers at {origin}. Check the spelling of the site; if it is right, it cannot be reached just now. The keys were not tried."
    )]
    HostUnknown { origin: Origin },
    #[error(
        "{origin} leads to an address that is not a public one, so nothing was sent there. If it is your own server, ask the operator of this service to list it."
    )]
    AddressRefused { origin: Origin },
    #[error(
        "{origin} does not know the company id \"{company_id}\". It is what you enter as \"Company\" when you sign in to ConnectWise."
    )]
    CompanyUnknown { origin: Origin, company_id: String },
    #[error(
        "{origin} answers, but not for the company id \"{company_id}\": that or the site is wrong. Enter both as you do when you sign in to ConnectWise."
    )]
    CompanyOrSiteWrong { origin: Origin, company_id: String },
    #[error(
        "{origin} answers, but not as ConnectWise's API does. Check that this is the site that you sign in to ConnectWise on."
    )]
    NotConnectWise { origin: Origin },
    #[error(
        "ConnectWise knows the company id, and refuses the keys. Check that both belong to one API member and that the member is active; the private key is shown only once, so make new keys if in doubt (System > Members > API Members > API Keys)."
    )]
    KeysRefused,
    /// On a server that does not say whether it knows the company id.
    #[error(
        "ConnectWise refuses the company id or the keys. Check the company id first; then that both keys belong to one API member and that the member is active (System > Members > API Members > API Keys)."
    )]
    CompanyOrKeysRefused,
    #[error(
        "ConnectWise refuses your own clientId. Check it at developer.connectwise.com, or use this service's."
    )]
    OwnClientIdRefused,
    #[error(
        "ConnectWise refuses this service's clientId, before it looks at your keys. Tell the operator of this service, or enter a clientId of your own."
    )]
    ClientIdRefused,
    #[error(
        "{origin} is down or too slow just now, so nothing can be said of the keys. Try again in a few minutes."
    )]
    Down { origin: Origin },
    /// Some clouds do not answer at all for a company id that they do not know.
    #[error(
        "{origin} gave no answer that can be used, so nothing can be said of the keys. Check the company id: some sites do not answer at all for one that they do not know. If it is right, try again in a few minutes."
    )]
    DownOrCompanyUnknown { origin: Origin },
    #[error(
        "ConnectWise asks to wait, because it was called too often; nothing can be said of the keys. Try again in {} seconds.", .after.as_secs()
    )]
    Throttled { after: Duration },
    #[error("The stored keys are missing, or belong to another site. Enter the connection again.")]
    NoKeys,
    #[error(
        "Something here did not work, so nothing can be said of the keys. Try again in a few minutes; if it stays so, tell the operator of this service."
    )]
    Ours,
}

impl ConnectionError {
    /// For programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotAnAddress(_) => "not_an_address",
            Self::HostNotAllowed(_) => "host_not_allowed",
            Self::ServedElsewhere(_) => "served_elsewhere",
            Self::HostUnknown { .. } => "host_unknown",
            Self::AddressRefused { .. } => "address_refused",
            Self::CompanyUnknown { .. } => "company_unknown",
            Self::CompanyOrSiteWrong { .. } => "company_or_site_wrong",
            Self::NotConnectWise { .. } => "not_connectwise",
            Self::KeysRefused => "keys_refused",
            Self::CompanyOrKeysRefused => "company_or_keys_refused",
            Self::OwnClientIdRefused => "own_client_id_refused",
            Self::ClientIdRefused => "client_id_refused",
            Self::Down { .. } => "down",
            Self::DownOrCompanyUnknown { .. } => "down_or_company_unknown",
            Self::Throttled { .. } => "throttled",
            Self::NoKeys => "no_keys",
            Self::Ours => "ours",
        }
    }

    /// The field of the form that it is about.
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotAnAddress(_)
            | Self::HostNotAllowed(_)
            | Self::ServedElsewhere(_)
            | Self::HostUnknown { .. }
            | Self::AddressRefused { .. }
            | Self::NotConnectWise { .. } => Some("site"),
            Self::CompanyUnknown { .. }
            | Self::CompanyOrSiteWrong { .. }
            | Self::CompanyOrKeysRefused => Some("company_id"),
            Self::KeysRefused | Self::NoKeys => Some("private_key"),
            Self::OwnClientIdRefused => Some("client_id"),
            Self::ClientIdRefused
            | Self::Down { .. }
            | Self::DownOrCompanyUnknown { .. }
            | Self::Throttled { .. }
            | Self::Ours => None,
        }
    }

    /// Whether another attempt may end otherwise with nothing mended.
    fn passes(&self) -> bool {
        match self {
            Self::Down { .. }
            | Self::DownOrCompanyUnknown { .. }
            | Self::Throttled { .. }
            | Self::Ours => true,
            Self::NotAnAddress(_)
            | Self::HostNotAllowed(_)
            | Self::ServedElsewhere(_)
            | Self::HostUnknown { .. }
            | Self::AddressRefused { .. }
            | Self::NotConnectWise { .. }
            | Self::CompanyUnknown { .. }
            | Self::CompanyOrSiteWrong { .. }
            | Self::CompanyOrKeysRefused
            | Self::KeysRefused
            | Self::NoKeys
            | Self::OwnClientIdRefused
            | Self::ClientIdRefused => false,
        }
    }
}

impl From<ConnectionError> for Problem {
    fn from(err: ConnectionError) -> Self {
        let detail = err.to_string();
        match err.field() {
            _ if err.passes() => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..Self::unavailable(detail)
            },
            Some(field) => Self::invalid(field, detail),
            None => Self::refused(detail),
        }
    }
}

/// Where a site is, and whether it knows the company id. No key leaves for it: whoever has only stored keys compares the origin with
/// theirs before they are tried.
///
/// # Errors
/// What stands in the way.
pub(crate) async fn find(
    connections: &Connections,
    site: &str,
    company_id: &str,
    invocation: &Invocation,
) -> Result<FoundSite, ConnectionError> {
    let (http, company_id) = (connections.http(), company_id.trim());
    let origin = http.hosts().site(site).map_err(refused_host)?;
    if company_id.is_empty() {
        let company_id = String::new();
        return Err(ConnectionError::CompanyUnknown { origin, company_id });
    }
    let asked = company_info(http, &origin, company_id, invocation.call_ends()).await;
    let info = of_site(&origin, company_id, asked)?;
    let Some(info) = info else {
        return Ok(FoundSite {
            origin,
            company_id: company_id.to_owned(),
            company: None,
        });
    };
    let named = http.hosts().named_by(&origin, &info.site_url);
    let named = named.map_err(ConnectionError::ServedElsewhere)?;
    Ok(FoundSite {
        origin: named.unwrap_or(origin),
        // The site's own spelling of the same id.
        company_id: match info.company_id.eq_ignore_ascii_case(company_id) {
            true => info.company_id,
            false => company_id.to_owned(),
        },
        company: Some(info.company_name),
    })
}

/// Whether that site takes these keys.
///
/// # Errors
/// What stands in the way.
pub(crate) async fn prove_keys(
    connections: &Connections,
    found: FoundSite,
    entered: Entered,
    invocation: &Invocation,
) -> Result<Proven, ConnectionError> {
    let FoundSite {
        origin,
        company_id,
        company,
    } = found;
    let keys = ConnectionSecret {
        origin: origin.as_str().to_owned(),
        company_id,
        public_key: entered.public_key,
        private_key: entered.private_key,
        client_id: entered.client_id,
    };
    let client = client_of(connections, keys.clone()).await?;
    let asked = who_am_i(&client, invocation).await;
    let site = Site {
        origin: &origin,
        company_id: &keys.company_id,
        company_known: company.is_some(),
        own_client_id: keys.client_id.is_some(),
    };
    let member = of_keys(site, asked)?;
    Ok(Proven {
        keys,
        company,
        member,
        client,
    })
}

/// Whether ConnectWise takes the stored connection, by its stored keys.
///
/// # Errors
/// What stands in the way.
pub(crate) async fn prove_stored(
    connections: &Connections,
    keys: ConnectionSecret,
    invocation: &Invocation,
) -> Result<Taken, ConnectionError> {
    let (http, company_id) = (connections.http(), keys.company_id.clone());
    let origin = http.hosts().site(&keys.origin).map_err(refused_host)?;
    let own_client_id = keys.client_id.is_some();
    let client = client_of(connections, keys).await?;
    let (info, asked) = join!(
        company_info(http, &origin, &company_id, invocation.call_ends()),
        who_am_i(&client, invocation)
    );
    let info = of_site(&origin, &company_id, info)?;
    let site = Site {
        origin: &origin,
        company_id: &company_id,
        company_known: info.is_some(),
        own_client_id,
    };
    Ok(Taken {
        member: of_keys(site, asked)?,
        company: info.map(|info| info.company_name),
        client,
    })
}

/// A client with these keys; nothing of it is remembered.
///
/// # Errors
/// What of ours stands in the way, or that their site is not allowed any more.
pub(crate) async fn client_of(
    connections: &Connections,
    keys: ConnectionSecret,
) -> Result<Client, ConnectionError> {
    connections.candidate(keys).await.map_err(|err| {
        tracing::error!(error = %err, "failed to make a ConnectWise client");
        match err {
            // The operator's own clientId.
            NoClient::Secret(_) => ConnectionError::Ours,
            NoClient::Host(_) | NoClient::OtherOrigin { .. } | NoClient::NotSetUp => {
                ConnectionError::NoKeys
            }
        }
    })
}

/// Who the keys belong to. A site too old to tell is asked for something else that needs keys; then it is nobody.
async fn who_am_i(client: &Client, invocation: &Invocation) -> Result<Option<MyMember>, Error> {
    match client.my_member(invocation.call_ends()).await {
        Err(Error::EndpointMissing { .. }) => {
            let asked = client.company_count(invocation.call_ends()).await;
            asked.map(|_| None)
        }
        asked => asked.map(Some),
    }
}

fn refused_host(err: HostError) -> ConnectionError {
    match err {
        HostError::NotAnAddress { .. } | HostError::Insecure { .. } => {
            ConnectionError::NotAnAddress(err)
        }
        HostError::NotListed { .. } => ConnectionError::HostNotAllowed(err),
    }
}

/// The site that was asked, as far as its faults speak of it.
#[derive(Debug, Clone, Copy)]
struct Site<'a> {
    origin: &'a Origin,
    company_id: &'a str,
    /// It said by itself that it knows the company id.
    company_known: bool,
    own_client_id: bool,
}

/// What a site says of a company id without keys. A cloud knows its companies; a server of somebody's own may not have the page at
/// all, and its silence proves nothing: then the keys decide.
fn of_site(
    origin: &Origin,
    company_id: &str,
    asked: Result<Option<CompanyInfo>, Error>,
) -> Result<Option<CompanyInfo>, ConnectionError> {
    let unknown = || ConnectionError::CompanyUnknown {
        origin: origin.clone(),
        company_id: company_id.to_owned(),
    };
    let err = match asked {
        Ok(None) if origin.is_cloud() => return Err(unknown()),
        Ok(info) => return Ok(info),
        Err(err) => err,
    };
    tracing::warn!(error = %err, origin = %origin, "failed to read company info");
    let origin = || origin.clone();
    match err {
        Error::NotRouted { status: 400, .. } if origin().is_cloud() => Err(unknown()),
        Error::NotSent { .. } => Err(ConnectionError::HostUnknown { origin: origin() }),
        Error::HostRefused { .. } => Err(ConnectionError::AddressRefused { origin: origin() }),
        Error::Throttled { retry_after } => Err(ConnectionError::Throttled { after: retry_after }),
        Error::TimedOut { .. }
        | Error::NoAnswer { .. }
        | Error::ServerError { .. }
        | Error::DeadlineTooShort
        | Error::AnswerTooLarge { .. } => Err(ConnectionError::Down { origin: origin() }),
        Error::NotRouted { .. }
        | Error::KeysRefused
        | Error::ClientIdRefused
        | Error::EndpointMissing { .. }
        | Error::Forbidden { .. }
        | Error::MissingRight { .. }
        | Error::NotFound { .. }
        | Error::TargetGone { .. }
        | Error::Rejected { .. }
        | Error::Conflict { .. }
        | Error::RedirectRefused { .. }
        | Error::AnswerUnreadable { .. } => Ok(None),
    }
}

/// What a call with the keys proves: a refusal for want of a right proves them as well, for rights come after keys.
fn of_keys(
    site: Site<'_>,
    asked: Result<Option<MyMember>, Error>,
) -> Result<Option<MyMember>, ConnectionError> {
    let err = match asked {
        Ok(member) => return Ok(member),
        Err(err) => err,
    };
    tracing::warn!(error = %err, origin = %site.origin, "ConnectWise did not accept the keys");
    let origin = site.origin.clone();
    match err {
        Error::MissingRight { .. }
        | Error::NotFound { .. }
        | Error::TargetGone { .. }
        | Error::Rejected { .. }
        | Error::Conflict { .. } => Ok(None),
        Error::KeysRefused if site.company_known => Err(ConnectionError::KeysRefused),
        Error::KeysRefused => Err(ConnectionError::CompanyOrKeysRefused),
        Error::ClientIdRefused if site.own_client_id => Err(ConnectionError::OwnClientIdRefused),
        Error::ClientIdRefused => Err(ConnectionError::ClientIdRefused),
        Error::NotRouted { .. } | Error::Forbidden { .. } => {
            Err(ConnectionError::CompanyOrSiteWrong {
                origin,
                company_id: site.company_id.to_owned(),
            })
        }
        Error::EndpointMissing { .. } | Error::RedirectRefused { .. } => {
            Err(ConnectionError::NotConnectWise { origin })
        }
        // Such as a web page of another server.
        Error::AnswerUnreadable { status: 200, .. } if !site.company_known => {
            Err(ConnectionError::NotConnectWise { origin })
        }
        Error::NotSent { .. } => Err(ConnectionError::HostUnknown { origin }),
        Error::HostRefused { .. } => Err(ConnectionError::AddressRefused { origin }),
        Error::Throttled { retry_after } => Err(ConnectionError::Throttled { after: retry_after }),
        Error::TimedOut { .. } | Error::NoAnswer { .. } if !site.company_known => {
            Err(ConnectionError::DownOrCompanyUnknown { origin })
        }
        Error::TimedOut { .. }
        | Error::NoAnswer { .. }
        | Error::ServerError { .. }
        | Error::DeadlineTooShort
        | Error::AnswerTooLarge { .. }
        | Error::AnswerUnreadable { .. } => Err(ConnectionError::Down { origin }),
    }
}

/// The table of rights with what is known of each, in its order.
pub(crate) type Held = Vec<(&'static Right, RightStatus)>;

/// Which rights the API member has: as ConnectWise lists them for it; what it does not list, one row of each list tells, which
/// cannot tell "All" from "My", nor anything of Add and Edit.
pub(crate) async fn rights(client: &Client, invocation: &Invocation) -> Held {
    let listed = client.my_security(invocation.call_ends()).await;
    if let Err(err) = &listed {
        tracing::warn!(error = %err, "failed to read the API member's rights");
    }
    let mut held = of_listing(&listed);
    let may = async |right: &'static str| {
        let known = held.iter().find(|(of, _)| of.right == right);
        match known.map(|(_, status)| status) {
            Some(RightStatus::NotKnown) => {
                seen(client.may_inquire(right, invocation.call_ends()).await)
            }
            Some(RightStatus::Granted | RightStatus::Missing) | None => RightStatus::NotKnown,
        }
    };
    let (companies, tickets, tables, members, company) = join!(
        may(rights::COMPANIES_INQUIRE),
        may(rights::TICKETS_INQUIRE),
        may(rights::TABLES_INQUIRE),
        may(rights::MEMBERS_INQUIRE),
        may(rights::MY_COMPANY_INQUIRE),
    );
    for (right, read) in [
        (rights::COMPANIES_INQUIRE, companies),
        (rights::TICKETS_INQUIRE, tickets),
        (rights::TABLES_INQUIRE, tables),
        (rights::MEMBERS_INQUIRE, members),
        (rights::MY_COMPANY_INQUIRE, company),
    ] {
        if read != RightStatus::NotKnown
            && let Some((_, status)) = held.iter_mut().find(|(of, _)| of.right == right)
        {
            *status = read;
        }
    }
    held
}

fn of_listing(listed: &Result<Vec<MySecurity>, Error>) -> Held {
    let rows: Vec<ListedRights<'_>> = match listed {
        Ok(rows) => rows.iter().map(MySecurity::listed).collect(),
        Err(_) => Vec::new(),
    };
    // The listing itself needs this one, whatever it says.
    let own = match listed {
        Err(Error::MissingRight { .. }) => Some(RightStatus::Missing),
        Ok(rows) if !rows.is_empty() => Some(RightStatus::Granted),
        Ok(_) | Err(_) => None,
    };
    let rights = rights::TABLE.iter();
    rights
        .map(|right| {
            let of = right_status(right.right, &rows);
            let is_own = right.right == rights::MY_ACCOUNT_INQUIRE && of == RightStatus::NotKnown;
            (right, own.filter(|_| is_own).unwrap_or(of))
        })
        .collect()
}

fn seen(read: Result<Option<bool>, Error>) -> RightStatus {
    match read {
        Ok(Some(true)) => RightStatus::Granted,
        Ok(Some(false)) => RightStatus::Missing,
        Ok(None) => RightStatus::NotKnown,
        Err(err) => {
            tracing::warn!(error = %err, "failed to read a list from ConnectWise");
            RightStatus::NotKnown
        }
    }
}

#[cfg(test)]
mod tests;
