use aws::queue;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Queue(#[from] queue::Error),
    #[error("the lease went to another run")]
    LeaseLost,
    #[error("the record {0} changes all the time")]
    Busy(String),
    #[error(transparent)]
    Id(#[from] domain::InvalidId),
}
