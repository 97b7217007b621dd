//! Writes with a condition: one that does not hold is an answer, not a failure.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt::Debug;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemError, DeleteItemOutput};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use crate::Error;

/// Sends an update; none where its condition did not hold.
pub(crate) async fn update(
    call: UpdateItemFluentBuilder,
) -> Result<Option<UpdateItemOutput>, Error> {
    let failed = UpdateItemError::is_conditional_check_failed_exception;
    unless(call.send().await, failed, "UpdateItem")
}

/// Sends an update; where its condition did not hold, the item as it is.
pub(crate) async fn update_or_stored(
    call: UpdateItemFluentBuilder,
) -> Result<Result<UpdateItemOutput, HashMap<String, AttributeValue>>, Error> {
    let old = ReturnValuesOnConditionCheckFailure::AllOld;
    let call = call.return_values_on_condition_check_failure(old);
    match call.send().await {
        Ok(answer) => Ok(Ok(answer)),
        Err(err) => match err.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Err(failed.item.clone().unwrap_or_default()))
            }
            Some(_) | None => Err(Error::call("UpdateItem", &err)),
        },
    }
}

/// Sends a put, and tells whether its condition held.
pub(crate) async fn put(call: PutItemFluentBuilder) -> Result<bool, Error> {
    let failed = PutItemError::is_conditional_check_failed_exception;
    Ok(unless(call.send().await, failed, "PutItem")?.is_some())
}

/// Sends a delete; none where its condition did not hold.
pub(crate) async fn delete(
    call: DeleteItemFluentBuilder,
) -> Result<Option<DeleteItemOutput>, Error> {
    let failed = DeleteItemError::is_conditional_check_failed_exception;
    unless(call.send().await, failed, "DeleteItem")
}

fn unless<T, E, R>(
    sent: Result<T, SdkError<E, R>>,
    failed: fn(&E) -> bool,
    operation: &'static str,
) -> Result<Option<T>, Error>
where
    E: StdError + 'static,
    R: Debug,
{
    match sent {
        Ok(answer) => Ok(Some(answer)),
        Err(err) if err.as_service_error().is_some_and(failed) => Ok(None),
        Err(err) => Err(Error::call(operation, &err)),
    }
}
