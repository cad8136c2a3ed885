//! The releases of one host, for those who list them and go back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipai_core::release::{Kept, Release as Shown, Releases};
use ipai_core::{Address, BoxFuture, Events, Outputs, RemoteError, Silent, StackId};

use super::{Look, Release, commands, running};
use crate::batch::Batch;
use crate::connections::Connections;
use crate::deploy::back::{self, Way};
use crate::manifest::Manifest;
use crate::observe::answer::Answer;
use crate::ready::Wait;

/// Reads the releases of one host and lets it go back to one.
pub struct HostReleases {
    connections: Arc<Connections>,
    stack: StackId,
    home: Address,
    outputs: Outputs,
}

impl HostReleases {
    /// The releases of `stack` on the host with these outputs.
    #[must_use]
    pub fn new(
        connections: &Arc<Connections>,
        stack: &StackId,
        home: &Address,
        outputs: &Outputs,
    ) -> Self {
        Self {
            connections: Arc::clone(connections),
            stack: stack.clone(),
            home: home.clone(),
            outputs: outputs.clone(),
        }
    }

    async fn look_at(&self) -> Result<Kept, RemoteError> {
        let place = self.connections.place(&self.home, &self.outputs)?;
        let link = self.connections.link(&self.home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        let mut batch = Batch::new(&mut link, settings, &place, &self.stack, &Silent);
        let limit = batch.limit();
        let output = batch.run(&commands::list(self.stack.as_str(), limit)).await?;
        let answer = Answer::read(&output.stdout)?;
        let manifest = Manifest::read(self.stack.as_str(), answer.manifest.as_deref())?;
        let mut releases = BTreeMap::new();
        for id in manifest.releases.kept.iter().rev() {
            if answer.words.contains_key(&format!("release.{id}")) {
                releases.insert(*id, Release::of(self.stack.as_str(), *id, &answer)?);
            }
        }
        let (files, images) = self.now(&mut batch, &manifest, limit).await?;
        let show = |(id, release): (u64, Release)| Shown {
            id,
            time: release.snapshot.time,
            why: release.snapshot.why.iter().cloned().collect(),
            images: release.snapshot.images(),
            files: release.sums,
        };
        Ok(Kept {
            releases: releases.into_iter().rev().map(show).collect(),
            current: manifest.releases.current,
            since: manifest.since.iter().cloned().collect(),
            files,
            images,
        })
    }

    /// What lies there and runs now.
    async fn now(
        &self,
        batch: &mut Batch<'_>,
        manifest: &Manifest,
        limit: Duration,
    ) -> Result<(BTreeMap<String, String>, Vec<ipai_core::release::ReleaseImage>), RemoteError>
    {
        let projects = !manifest.projects.is_empty();
        let paths = manifest.paths().into_iter().collect();
        let look = Look { paths, projects, ..Look::default() };
        let output = batch.run(&look.command(limit)).await?;
        let answer = Answer::read(&output.stdout)?;
        let images = running(manifest, answer.containers());
        let own = manifest.paths();
        Ok((answer.sums.into_iter().filter(|(path, _)| own.contains(path)).collect(), images))
    }

    async fn go_back_to(
        &self,
        to: u64,
        address: &Address,
        events: &dyn Events,
    ) -> Result<(), RemoteError> {
        let place = self.connections.place(&self.home, &self.outputs)?;
        let link = self.connections.link(&self.home);
        let mut link = link.lock().await;
        let settings = self.connections.settings();
        let stack = self.stack.as_str();
        Wait { settings, place: &place, stack, address, events }.until_ready(&mut link).await?;
        let mut batch = Batch::new(&mut link, settings, &place, &self.stack, events);
        let before = batch.manifest()?.releases.current;
        let way = Way { address, to, migrates: &[], pulls: true };
        match back::go(&mut batch, &way).await {
            Ok(()) => Ok(()),
            Err(error) => match before.filter(|before| *before != to) {
                Some(_) if !batch.may_begin() => Err(error),
                Some(before) => {
                    let way = Way { address, to: before, migrates: &[], pulls: false };
                    Err(back::instead_of(&mut batch, &way, error).await)
                }
                None => Err(error),
            },
        }
    }
}

impl Releases for HostReleases {
    fn look(&self) -> BoxFuture<'_, Result<Kept, RemoteError>> {
        Box::pin(self.look_at())
    }

    fn go_back<'a>(
        &'a self,
        to: u64,
        address: &'a Address,
        events: &'a dyn Events,
    ) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.go_back_to(to, address, events))
    }
}
