//! The list of routes and who may use each. The router is built from this list alone, so the tests
//! that try every route with every caller miss none.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, on};

use crate::auth::session;
use crate::context::Setup;
use crate::http::headers::add_security_headers;
use crate::http::panics::catch_panics;
use crate::http::present::present_json;
use crate::http::problem::Problem;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// Anybody.
    Open,
    /// Requests with a session, for the session's partner only.
    Session,
    /// Requests that prove a source, for the alerts of that source only.
    Source,
    /// ConnectWise's callbacks, which have the token of their partner.
    Callback,
    /// Requests with the operator's keys, which the gateway checks.
    Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// With its variables in braces.
    pub path: String,
    pub access: RouteAccess,
}

/// Collects routes of the same access.
pub(crate) struct Routes {
    access: RouteAccess,
    /// What all of their paths begin with.
    prefix: &'static str,
    list: Vec<Route>,
    router: Router<Arc<Setup>>,
}

impl Routes {
    pub(crate) fn new(access: RouteAccess, prefix: &'static str) -> Self {
        Self {
            access,
            prefix,
            list: vec![],
            router: Router::new(),
        }
    }

    pub(crate) fn get<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add((Method::GET, MethodFilter::GET), path, handler)
    }

    pub(crate) fn post<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add((Method::POST, MethodFilter::POST), path, handler)
    }

    pub(crate) fn put<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add((Method::PUT, MethodFilter::PUT), path, handler)
    }

    pub(crate) fn patch<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add((Method::PATCH, MethodFilter::PATCH), path, handler)
    }

    pub(crate) fn delete<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        self.add((Method::DELETE, MethodFilter::DELETE), path, handler)
    }

    fn add<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<Setup>>,
        T: 'static,
    {
        let (access, path) = (self.access, format!("{}{path}", self.prefix));
        self.router = self.router.route(&path, on(filter, handler));
        self.list.push(Route {
            method,
            path,
            access,
        });
        self
    }

    /// The routes so far.
    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Route] {
        &self.list
    }

    /// The router, which requires a session where the access says so, and the list of its routes.
    pub(crate) fn finish(self, setup: &Arc<Setup>) -> (Router<Arc<Setup>>, Vec<Route>) {
        let router = self
            .router
            .method_not_allowed_fallback(async || Problem::method_not_allowed());
        let router = match self.access {
            RouteAccess::Session => router.route_layer(from_fn_with_state(
                Arc::clone(setup),
                session::require_session,
            )),
            RouteAccess::Open
            | RouteAccess::Source
            | RouteAccess::Callback
            | RouteAccess::Operator => router,
        };
        (router, self.list)
    }

    /// The router of programs, which get JSON only, and the list of its routes.
    pub(crate) fn finish_json(self, setup: Arc<Setup>) -> (Router, Vec<Route>) {
        let (router, list) = self.finish(&setup);
        let router = router
            .fallback(async || Problem::not_found("There is no such route."))
            .layer(from_fn(catch_panics))
            .layer(from_fn(present_json))
            .layer(from_fn(add_security_headers))
            .with_state(setup);
        (router, list)
    }
}
