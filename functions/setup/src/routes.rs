//! Which routes there are, and who may use each. A router is built from this list alone, so that no route is forgotten by the tests that
//! try every one of them with everybody.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::answer::Problem;
use crate::{Setup, session};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// Anybody.
    Open,
    /// Who has a session, for the session's partner alone.
    Session,
    /// Who has the operator's keys, which the gateway checks.
    Operator,
}

/// One of the function's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Such as `POST`.
    pub method: Method,
    /// With its variables in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: RouteAccess,
}

/// Routes behind one door, as they are being listed.
pub(crate) struct Routes {
    access: RouteAccess,
    list: Vec<Route>,
    router: Router<Arc<Setup>>,
}

impl Routes {
    /// None yet.
    pub(crate) fn behind(access: RouteAccess) -> Self {
        Self {
            access,
            list: vec![],
            router: Router::new(),
        }
    }

    /// Shows something.
    pub(crate) fn get<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add(Method::GET, path, on(MethodFilter::GET, handler))
    }

    /// Changes something.
    pub(crate) fn post<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add(Method::POST, path, on(MethodFilter::POST, handler))
    }

    /// Has something be as told.
    pub(crate) fn put<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add(Method::PUT, path, on(MethodFilter::PUT, handler))
    }

    /// Changes a part of something.
    pub(crate) fn patch<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add(Method::PATCH, path, on(MethodFilter::PATCH, handler))
    }

    /// Ends something.
    pub(crate) fn delete<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add(Method::DELETE, path, on(MethodFilter::DELETE, handler))
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        handler: MethodRouter<Arc<Setup>>,
    ) -> Self {
        let access = self.access;
        self.list.push(Route {
            method,
            path,
            access,
        });
        self.router = self.router.route(path, handler);
        self
    }

    /// The router, which lets nobody through its door who may not, and the list of what is behind it.
    pub(crate) fn finish(self, setup: &Arc<Setup>) -> (Router<Arc<Setup>>, Vec<Route>) {
        let router = self
            .router
            .method_not_allowed_fallback(async || Problem::method());
        let router = match self.access {
            RouteAccess::Session => {
                router.route_layer(from_fn_with_state(Arc::clone(setup), session::required))
            }
            RouteAccess::Open | RouteAccess::Operator => router,
        };
        (router, self.list)
    }
}
