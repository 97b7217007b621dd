//! Conditional writes. A condition that does not hold is a result, not an error.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemError, DeleteItemOutput};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use crate::Error;
use crate::table::Item;

/// Sends an update. Returns whether its condition held.
pub(crate) async fn update(call: UpdateItemFluentBuilder) -> Result<bool, Error> {
    Ok(update_and_return(call).await?.is_some())
}

/// Sends an update. Returns `None` if its condition did not hold.
pub(crate) async fn update_and_return(
    call: UpdateItemFluentBuilder,
) -> Result<Option<UpdateItemOutput>, Error> {
    let is_refused = UpdateItemError::is_conditional_check_failed_exception;
    unless_refused(call.send().await, is_refused, "UpdateItem")
}

/// Sends an update. If its condition did not hold, returns the stored item as the inner error.
pub(crate) async fn update_or_stored(
    call: UpdateItemFluentBuilder,
) -> Result<Result<(), Item>, Error> {
    let old = ReturnValuesOnConditionCheckFailure::AllOld;
    let call = call.return_values_on_condition_check_failure(old);
    match call.send().await {
        Ok(_) => Ok(Ok(())),
        Err(err) => match err.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Err(failed.item.clone().unwrap_or_default()))
            }
            Some(_) | None => Err(Error::call("UpdateItem", &err)),
        },
    }
}

/// Sends a put. Returns whether its condition held.
pub(crate) async fn put(call: PutItemFluentBuilder) -> Result<bool, Error> {
    let is_refused = PutItemError::is_conditional_check_failed_exception;
    Ok(unless_refused(call.send().await, is_refused, "PutItem")?.is_some())
}

/// Sends a delete. Returns `None` if its condition did not hold.
pub(crate) async fn delete(
    call: DeleteItemFluentBuilder,
) -> Result<Option<DeleteItemOutput>, Error> {
    let is_refused = DeleteItemError::is_conditional_check_failed_exception;
    unless_refused(call.send().await, is_refused, "DeleteItem")
}

fn unless_refused<T, E, R>(
    sent: Result<T, SdkError<E, R>>,
    is_refused: fn(&E) -> bool,
    operation: &'static str,
) -> Result<Option<T>, Error>
where
    E: StdError + 'static,
    R: Debug,
{
    match sent {
        Ok(answer) => Ok(Some(answer)),
        Err(err) if err.as_service_error().is_some_and(is_refused) => Ok(None),
        Err(err) => Err(Error::call(operation, &err)),
    }
}
