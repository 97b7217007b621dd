//! Links and sessions: `S#<hash of the token>` with `link` or `session`, so that a link's token is no session's. The token itself is
//! never stored.
//!
//! Whether one counts is decided by its own time, by an argument `now`, and by its partner. The `ttl` only tidies up: DynamoDB deletes
//! days late.

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::setup::access::{Invitation, PageSession, Partner, TokenHash};
use domain::time::sortable;
use jiff::Timestamp;
use serde::Serialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use crate::access::AccessTable;
use crate::conditional;
use crate::{Error, Item};

const LINK: &str = "link";
const SESSION: &str = "session";

impl AccessTable {
    /// Stores a link under the hash of its fresh random token. Storing it twice is storing it once. If the process dies right after,
    /// nobody has the token, and the link expires.
    ///
    /// # Errors
    /// When DynamoDB fails. The link may then be there, without anybody who has its token.
    pub async fn put_link(&self, hash: &TokenHash, link: &Invitation) -> Result<(), Error> {
        self.put_pass(hash, LINK, link, link.expires_at).await
    }

    /// Takes a link out of the table, and returns it to exactly one caller; none if it was used, has expired or was ended, or its partner
    /// is switched off. One conditional delete. If the process dies right after, the link is used up and nobody is in: the
    /// operator makes another one.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable. The link may then be used up.
    pub async fn consume_link(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Invitation>, Error> {
        // What is there is alone in having a time, so the condition also says that it is there.
        let call = self
            .delete_pass(hash, LINK)
            .condition_expression("expires_at > :now")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .return_values(ReturnValue::AllOld);
        let Some(gone) = conditional::delete(call).await? else {
            return Ok(None);
        };
        let item = gone.attributes;
        let malformed = |err| Error::malformed(LINK, &err);
        let link: Option<Invitation> = item.map(from_item).transpose().map_err(malformed)?;
        let Some(link) = link else {
            return Ok(None);
        };
        let partner = self.partner(&link.partner).await?.value;
        Ok(link.is_valid(partner.as_ref(), now).then_some(link))
    }

    /// Stores a session under the hash of its fresh random token. Storing it twice is storing it once. If the process dies right after,
    /// nobody has the token, and the session expires.
    ///
    /// # Errors
    /// When DynamoDB fails. The session may then be there, without anybody who has its token.
    pub async fn put_session(&self, hash: &TokenHash, session: &PageSession) -> Result<(), Error> {
        self.put_pass(hash, SESSION, session, session.expires_at)
            .await
    }

    /// The session of this token with its partner, read consistently; none if it has expired or was ended, or its partner is switched
    /// off.
    ///
    /// # Errors
    /// When DynamoDB fails or an item is unreadable: nobody is in then.
    pub async fn session(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<(PageSession, Partner)>, Error> {
        let item = self.table.item(&pass_pk(hash), SESSION).await?;
        let malformed = |err| Error::malformed(SESSION, &err);
        let session: Option<PageSession> = item.map(from_item).transpose().map_err(malformed)?;
        let Some(session) = session else {
            return Ok(None);
        };
        let partner = self.partner(&session.partner).await?.value;
        let partner = partner.filter(|partner| session.is_valid(Some(partner), now));
        Ok(partner.map(|partner| (session, partner)))
    }

    /// Ends a session; one that is not there has ended. One write: if the process dies right after, it has ended.
    ///
    /// # Errors
    /// When DynamoDB fails. The session may then have ended.
    pub async fn end_session(&self, hash: &TokenHash) -> Result<(), Error> {
        let call = self.delete_pass(hash, SESSION).send();
        call.await.map_err(|err| Error::call("DeleteItem", &err))?;
        Ok(())
    }

    async fn put_pass<T: Serialize>(
        &self,
        hash: &TokenHash,
        sk: &str,
        pass: &T,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let mut item: Item = to_item(pass).map_err(|err| Error::malformed(sk, &err))?;
        item.insert("pk".to_owned(), AttributeValue::S(pass_pk(hash)));
        item.insert("sk".to_owned(), AttributeValue::S(sk.to_owned()));
        let ttl = expires_at.as_second().to_string();
        item.insert("ttl".to_owned(), AttributeValue::N(ttl));
        let call = self.table.put_item(item);
        call.send()
            .await
            .map_err(|err| Error::call("PutItem", &err))?;
        Ok(())
    }

    fn delete_pass(&self, hash: &TokenHash, sk: &str) -> DeleteItemFluentBuilder {
        self.table.delete_item(&pass_pk(hash), sk)
    }
}

fn pass_pk(hash: &TokenHash) -> String {
    format!("S#{}", hash.as_str())
}
