//! The wire: per RPC parse, call, render.

mod error;
#[doc(hidden)]
pub mod parse;
mod render;

use std::pin::Pin;

use futures::{Stream, StreamExt, TryStreamExt};
use proto::grab::v1::{self as pb, grab_service_server::GrabService};
use tonic::{Request, Response, Status};

use crate::ops::{Feed, Race, Records};

/// The service as gRPC sees it.
pub struct Rpc {
    /// What changes something.
    pub race: Race,
    /// What answers questions.
    pub records: Records,
    /// What follows the claim log.
    pub feed: Feed,
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl GrabService for Rpc {
    async fn grab(&self, request: Request<pb::GrabRequest>) -> Result<Response<pb::GrabResponse>, Status> {
        let request = parse::grab(request.into_inner())?;
        let outcome = self.race.grab(vec![request]).await.pop();
        let outcome = outcome.ok_or_else(|| status::internal("a grab without an outcome"))?;
        Ok(Response::new(render::grab(outcome.map_err(error::status)?)))
    }

    async fn open(&self, request: Request<pb::OpenRequest>) -> Result<Response<pb::OpenResponse>, Status> {
        let request = parse::open(request.into_inner())?;
        let outcome = self.race.open(&request).await.map_err(error::status)?;
        Ok(Response::new(render::open(outcome)))
    }

    async fn batch_grab(
        &self,
        request: Request<pb::BatchGrabRequest>,
    ) -> Result<Response<pb::BatchGrabResponse>, Status> {
        let items = parse::batch(request.into_inner().requests)?;
        let parsed: Vec<_> = items.into_iter().map(parse::grab).collect();
        let good = parsed.iter().flatten().cloned().collect();
        let mut outcomes = self.race.grab(good).await.into_iter();
        let results = parsed.into_iter().map(|item| {
            let outcome = item.and_then(|_| {
                let outcome = outcomes
                    .next()
                    .ok_or_else(|| status::internal("a grab without an outcome"))?;
                outcome.map_err(error::status)
            });
            render::grab_result(outcome)
        });
        let results = results.collect();
        Ok(Response::new(pb::BatchGrabResponse { results }))
    }

    async fn batch_open(
        &self,
        request: Request<pb::BatchOpenRequest>,
    ) -> Result<Response<pb::BatchOpenResponse>, Status> {
        let items = parse::batch(request.into_inner().requests)?;
        let opens = items.into_iter().map(|item| async {
            let request = parse::open(item)?;
            self.race.open(&request).await.map_err(error::status)
        });
        let outcomes = futures::future::join_all(opens).await;
        let results = outcomes.into_iter().map(render::open_result).collect();
        Ok(Response::new(pb::BatchOpenResponse { results }))
    }

    async fn list_claims(
        &self,
        request: Request<pb::ListClaimsRequest>,
    ) -> Result<Response<pb::ListClaimsResponse>, Status> {
        let (packet_id, page) = parse::list_claims(request.get_ref())?;
        let (claims, next_page_token, progress) = self.records.claims(packet_id, &page).await.map_err(error::status)?;
        Ok(Response::new(pb::ListClaimsResponse {
            claims: claims.into_iter().map(render::claim).collect(),
            next_page_token,
            progress: Some(render::progress(&progress)),
        }))
    }

    async fn batch_get_progress(
        &self,
        request: Request<pb::BatchGetProgressRequest>,
    ) -> Result<Response<pb::BatchGetProgressResponse>, Status> {
        let packet_ids = parse::progress(request.get_ref())?;
        let progress = self.records.progress(&packet_ids).await.map_err(error::status)?;
        let progress = progress.iter().map(render::progress).collect();
        Ok(Response::new(pb::BatchGetProgressResponse { progress }))
    }

    async fn list_user_claims(
        &self,
        request: Request<pb::ListUserClaimsRequest>,
    ) -> Result<Response<pb::ListUserClaimsResponse>, Status> {
        let (user_id, page) = parse::list_user_claims(request.get_ref())?;
        let (claims, next_page_token) = self.records.of_user(&user_id, &page).await.map_err(error::status)?;
        Ok(Response::new(pb::ListUserClaimsResponse {
            claims: claims.into_iter().map(render::claim).collect(),
            next_page_token,
        }))
    }

    async fn summarize_user(
        &self,
        request: Request<pb::SummarizeUserRequest>,
    ) -> Result<Response<pb::SummarizeUserResponse>, Status> {
        let (user_id, year) = parse::summarize(request.get_ref())?;
        let summary = self.records.summarize(&user_id, year).await.map_err(error::status)?;
        Ok(Response::new(render::summary(summary)))
    }

    type WatchPacketStream = Streamed<pb::WatchPacketResponse>;

    async fn watch_packet(
        &self,
        request: Request<pb::WatchPacketRequest>,
    ) -> Result<Response<Self::WatchPacketStream>, Status> {
        let packet_id = parse::watch(request.get_ref())?;
        let sights = self.feed.watch(packet_id).await.map_err(error::status)?;
        Ok(Response::new(
            sights.map_ok(render::sight).map_err(error::status).boxed(),
        ))
    }

    type TailClaimsStream = Streamed<pb::TailClaimsResponse>;

    async fn tail_claims(
        &self,
        request: Request<pb::TailClaimsRequest>,
    ) -> Result<Response<Self::TailClaimsStream>, Status> {
        let tail = parse::tail(request.get_ref(), self.feed.packets.partitions())?;
        let stretches = self.feed.tail(tail).await.map_err(error::status)?;
        Ok(Response::new(
            stretches.map_ok(render::stretch).map_err(error::status).boxed(),
        ))
    }

    async fn preload(&self, request: Request<pb::PreloadRequest>) -> Result<Response<pb::PreloadResponse>, Status> {
        let promise = parse::preload(request.into_inner())?;
        self.race.preload(promise).await.map_err(error::status)?;
        Ok(Response::new(pb::PreloadResponse {}))
    }

    async fn close_packet(
        &self,
        request: Request<pb::ClosePacketRequest>,
    ) -> Result<Response<pb::ClosePacketResponse>, Status> {
        let packet_id = parse::close(request.get_ref())?;
        let closing = self.race.close(packet_id).await.map_err(error::status)?;
        Ok(Response::new(render::closing(closing)))
    }
}
