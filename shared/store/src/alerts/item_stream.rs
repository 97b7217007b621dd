//! Items of an index query, read page by page.

use std::marker::PhantomData;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::table::Item;

/// The items of a query. Each page is read only when its items are needed.
#[derive(Debug)]
pub struct ItemStream<T> {
    items: PaginationStream<Result<Item, SdkError<QueryError>>>,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> ItemStream<T> {
    pub(super) fn send(query: QueryFluentBuilder) -> Self {
        Self {
            items: query.into_paginator().items().send(),
            of: PhantomData,
        }
    }

    /// Returns the next item, or `None` at the end. An unreadable item is logged and left out.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        while let Some(item) = self.items.next().await {
            let item = item.map_err(|err| Error::call("Query", &err))?;
            let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned();
            match from_item(item) {
                Ok(item) => return Ok(Some(item)),
                Err(err) => {
                    tracing::error!(item = pk, error = %err, "failed to parse an item of a list");
                }
            }
        }
        Ok(None)
    }
}
