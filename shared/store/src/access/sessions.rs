//! Links and sessions: `S#<hash of the token>` with `link` or `session`, so that the token of a link
//! is not accepted as a session. The token itself is never stored.
//!
//! Code decides whether a link or session is valid: by its expiry, the argument `now`, and its
//! partner. The attribute `ttl` only cleans up, because DynamoDB deletes items days late.

use aws_sdk_dynamodb::types::ReturnValue;
use domain::setup::access::{Invitation, PageSession, Partner, TokenHash};
use jiff::Timestamp;
use serde::Serialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::partners::PartnerStore;
use crate::table::{Item, Table, key, number, time};
use crate::{Error, conditional};

const LINK: &str = "link";
const SESSION: &str = "session";

#[derive(Debug, Clone)]
pub struct SessionStore {
    table: Table,
    partners: PartnerStore,
}

impl SessionStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
            partners: PartnerStore::new(table),
        }
    }

    /// Stores a link under the hash of its new random token. A repetition changes nothing. If the
    /// process dies right after, the token is lost and the link expires.
    ///
    /// # Errors
    /// When DynamoDB fails. The link may then be stored, without anyone who has its token.
    pub async fn put_link(&self, hash: &TokenHash, link: &Invitation) -> Result<(), Error> {
        self.put_item(hash, LINK, link, link.expires_at).await
    }

    /// Deletes a link and returns it to exactly one caller. Returns `None` if the link was used, has
    /// expired or was ended, or if its partner is disabled. If the process dies right after, the link
    /// is used up without a session: the operator creates another one.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable. The link may then be used up.
    pub async fn consume_link(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Invitation>, Error> {
        // The condition also fails if there is no item, which has no `expires_at`.
        let call = self
            .table
            .delete_item(key(&pk(hash), LINK))
            .condition_expression("expires_at > :now")
            .expression_attribute_values(":now", time(now))
            .return_values(ReturnValue::AllOld);
        let deleted = conditional::delete(call).await?;
        let Some(item) = deleted.and_then(|answer| answer.attributes) else {
            return Ok(None);
        };
        let link: Invitation = from_item(item).map_err(|err| Error::malformed(LINK, &err))?;
        let partner = self.partners.get(&link.partner).await?.value;
        Ok(link.is_valid(partner.as_ref(), now).then_some(link))
    }

    /// Stores a session under the hash of its new random token. A repetition changes nothing. If the
    /// process dies right after, the token is lost and the session expires.
    ///
    /// # Errors
    /// When DynamoDB fails. The session may then be stored, without anyone who has its token.
    pub async fn put(&self, hash: &TokenHash, session: &PageSession) -> Result<(), Error> {
        self.put_item(hash, SESSION, session, session.expires_at)
            .await
    }

    /// Reads the session of this token and its partner consistently. Returns `None` if the session
    /// has expired or was ended, or if its partner is disabled.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable. The caller then grants no access.
    pub async fn get(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<(PageSession, Partner)>, Error> {
        let Some(item) = self.table.item(key(&pk(hash), SESSION)).await? else {
            return Ok(None);
        };
        let session: PageSession =
            from_item(item).map_err(|err| Error::malformed(SESSION, &err))?;
        let partner = self.partners.get(&session.partner).await?.value;
        let partner = partner.filter(|partner| session.is_valid(Some(partner), now));
        Ok(partner.map(|partner| (session, partner)))
    }

    /// Ends a session. A repetition changes nothing. If the process dies right after, it has ended.
    ///
    /// # Errors
    /// When DynamoDB fails. The session may then have ended.
    pub async fn end(&self, hash: &TokenHash) -> Result<(), Error> {
        let sent = self.table.delete_item(key(&pk(hash), SESSION)).send().await;
        sent.map_err(|err| Error::call("DeleteItem", &err))?;
        Ok(())
    }

    async fn put_item<T: Serialize>(
        &self,
        hash: &TokenHash,
        sk: &str,
        value: &T,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let mut item: Item = to_item(value).map_err(|err| Error::malformed(sk, &err))?;
        item.extend(key(&pk(hash), sk));
        item.insert("ttl".to_owned(), number(expires_at.as_second()));
        let sent = self.table.put_item(item).send().await;
        sent.map_err(|err| Error::call("PutItem", &err))?;
        Ok(())
    }
}

fn pk(hash: &TokenHash) -> String {
    format!("S#{}", hash.as_str())
}
