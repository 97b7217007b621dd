//! Proves a connection: whether the site, the company id and the keys are good, and which of them
//! is not. It only reads.

use aws::invocation::Invocation;
use aws::secrets::ConnectionSecret;
use connections::{ClientError, Connections};
use connectwise::{Client, CompanyInfo, Error, HostError, MyMember, Origin, company_info};
use domain::Secret;
use tokio::join;

use crate::connection::error::ConnectionError;

#[derive(Debug, Clone)]
pub(super) struct EnteredKeys {
    pub(super) public_key: String,
    pub(super) private_key: Secret,
    /// The partner's own; `None` uses the operator's.
    pub(super) client_id: Option<Secret>,
}

/// An allowed site, and what it says of the company id without keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundSite {
    pub(super) origin: Origin,
    /// In the site's spelling, if it knows the company id.
    pub(super) company_id: String,
    /// The company's name; `None` if a self-hosted server does not say. Then the keys decide.
    pub(super) company: Option<String>,
}

/// An entered connection that ConnectWise accepted.
#[derive(Debug)]
pub(super) struct ProvenConnection {
    /// What to store: the origin and the company id are as found, not as typed.
    pub(super) keys: ConnectionSecret,
    /// The company's name, if the site says it.
    pub(super) company: Option<String>,
    /// The owner of the keys, if it has the right to read itself.
    pub(super) member: Option<MyMember>,
    pub(super) client: Client,
}

/// A stored connection that ConnectWise accepted.
#[derive(Debug)]
pub(super) struct AcceptedConnection {
    /// The company's name, if the site says it.
    pub(super) company: Option<String>,
    /// The owner of the keys, if it has the right to read itself.
    pub(super) member: Option<MyMember>,
    pub(super) client: Client,
}

/// Finds the site, and whether it knows the company id. No key is sent: a caller with stored keys
/// must first compare the origin with theirs.
///
/// # Errors
/// When the site or the company id is wrong, or the site cannot be reached.
pub(super) async fn find_site(
    connections: &Connections,
    site: &str,
    company_id: &str,
    invocation: &Invocation,
) -> Result<FoundSite, ConnectionError> {
    let (http, company_id) = (connections.clients.http(), company_id.trim());
    let origin = http.hosts().site(site).map_err(refused_host)?;
    if company_id.is_empty() {
        let company_id = String::new();
        return Err(ConnectionError::CompanyUnknown { origin, company_id });
    }
    let result = company_info(http, &origin, company_id, invocation.call_ends()).await;
    let info = judge_company(&origin, company_id, result)?;
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
        company_id: if info.company_id.eq_ignore_ascii_case(company_id) {
            info.company_id
        } else {
            company_id.to_owned()
        },
        company: Some(info.company_name),
    })
}

/// Whether the site accepts these keys.
///
/// # Errors
/// When it does not, or cannot be reached.
pub(super) async fn prove_keys(
    connections: &Connections,
    found: FoundSite,
    entered: EnteredKeys,
    invocation: &Invocation,
) -> Result<ProvenConnection, ConnectionError> {
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
    let result = who_am_i(&client, invocation).await;
    let site = ProbedSite {
        origin: &origin,
        company_id: &keys.company_id,
        company_known: company.is_some(),
        own_client_id: keys.client_id.is_some(),
    };
    let member = judge_keys(site, result)?;
    Ok(ProvenConnection {
        keys,
        company,
        member,
        client,
    })
}

/// Whether ConnectWise accepts the stored connection with its stored keys.
///
/// # Errors
/// When it does not, or cannot be reached.
pub(super) async fn prove_stored(
    connections: &Connections,
    keys: ConnectionSecret,
    invocation: &Invocation,
) -> Result<AcceptedConnection, ConnectionError> {
    let (http, company_id) = (connections.clients.http(), keys.company_id.clone());
    let origin = http.hosts().site(&keys.origin).map_err(refused_host)?;
    let own_client_id = keys.client_id.is_some();
    let client = client_of(connections, keys).await?;
    let (info, result) = join!(
        company_info(http, &origin, &company_id, invocation.call_ends()),
        who_am_i(&client, invocation)
    );
    let info = judge_company(&origin, &company_id, info)?;
    let site = ProbedSite {
        origin: &origin,
        company_id: &company_id,
        company_known: info.is_some(),
        own_client_id,
    };
    Ok(AcceptedConnection {
        member: judge_keys(site, result)?,
        company: info.map(|info| info.company_name),
        client,
    })
}

/// A client with these keys. It is not cached.
///
/// # Errors
/// When the operator's clientId cannot be read, or the site is no longer allowed.
pub(super) async fn client_of(
    connections: &Connections,
    keys: ConnectionSecret,
) -> Result<Client, ConnectionError> {
    connections.clients.build_with(keys).await.map_err(|err| {
        tracing::error!(error = %err, "failed to build a ConnectWise client");
        match err {
            // The operator's own clientId.
            ClientError::Secret(_) => ConnectionError::Internal,
            ClientError::Host(_) | ClientError::OtherOrigin { .. } | ClientError::NotSetUp => {
                ConnectionError::NoKeys
            }
        }
    })
}

/// The owner of the keys. A site too old for this call gets another call that needs keys; then the
/// owner is unknown.
async fn who_am_i(client: &Client, invocation: &Invocation) -> Result<Option<MyMember>, Error> {
    match client.my_member(invocation.call_ends()).await {
        Err(Error::EndpointMissing { .. }) => {
            let result = client.company_count(invocation.call_ends()).await;
            result.map(|_| None)
        }
        result => result.map(Some),
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

/// What the errors of the calls to a site say about it.
#[derive(Debug, Clone, Copy)]
struct ProbedSite<'a> {
    origin: &'a Origin,
    company_id: &'a str,
    /// The site confirmed the company id without keys.
    company_known: bool,
    own_client_id: bool,
}

/// What a site's answer about a company id without keys proves. A cloud knows its companies. A
/// self-hosted server may not have this page, so a missing answer proves nothing and the keys
/// decide.
fn judge_company(
    origin: &Origin,
    company_id: &str,
    result: Result<Option<CompanyInfo>, Error>,
) -> Result<Option<CompanyInfo>, ConnectionError> {
    let unknown = || ConnectionError::CompanyUnknown {
        origin: origin.clone(),
        company_id: company_id.to_owned(),
    };
    let err = match result {
        Ok(None) if origin.is_cloud() => return Err(unknown()),
        Ok(info) => return Ok(info),
        Err(err) => err,
    };
    tracing::warn!(error = %err, origin = %origin, "failed to read company info");
    if matches!(err, Error::NotRouted { status: 400, .. }) && origin.is_cloud() {
        return Err(unknown());
    }
    let origin = origin.clone();
    if let Error::NotSent { .. } = err {
        return Err(ConnectionError::HostUnknown { origin });
    }
    if let Error::HostRefused { .. } = err {
        return Err(ConnectionError::AddressRefused { origin });
    }
    if let Error::Throttled { retry_after } = err {
        return Err(ConnectionError::Throttled { after: retry_after });
    }
    if err.is_temporary() || matches!(err, Error::AnswerTooLarge { .. }) {
        return Err(ConnectionError::Down { origin });
    }
    Ok(None)
}

/// What the answer to a call with the keys proves. A missing right proves the keys too, because
/// ConnectWise checks rights after keys.
fn judge_keys(
    site: ProbedSite<'_>,
    result: Result<Option<MyMember>, Error>,
) -> Result<Option<MyMember>, ConnectionError> {
    let err = match result {
        Ok(member) => return Ok(member),
        Err(err) => err,
    };
    tracing::warn!(error = %err, origin = %site.origin, "ConnectWise did not accept the keys");
    let origin = site.origin.clone();
    match err {
        Error::MissingRight { .. }
        | Error::NotFound { .. }
        | Error::TargetMissing { .. }
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

#[cfg(test)]
mod tests;
