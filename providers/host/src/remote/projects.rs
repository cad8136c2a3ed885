//! The Compose projects of a stack, by what their files say.

use std::collections::BTreeMap;
use std::time::Duration;

use ipai_core::exposure::{self, Opening};
use ipai_core::{Address, Attributes, DesiredResource, Value};

use super::compose::{LogChoice, Place};
use crate::compose::ports::{PublishedPort, published_ports};
use crate::compose::project::Project;
use crate::file::text;
use crate::observe::content_of;

/// A Compose project that the stack wants.
#[derive(Clone, Debug)]
pub struct ComposeProject {
    /// The resource.
    pub address: Address,
    /// The host that it runs on.
    pub home: Address,
    /// Its name on the host.
    pub name: String,
    /// Its folder on the host.
    pub directory: String,
    /// Its services by name; empty while its file waits for something that is still to be made.
    pub services: BTreeMap<String, ComposeService>,
    /// What it opens to the network.
    pub ports: Vec<PublishedPort>,
    /// How long it may take until all is well.
    pub timeout: Duration,
}

/// A service of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeService {
    /// Its image, when it names one.
    pub image: Option<String>,
    /// Whether a registry gives that image, and it is not made on the host.
    pub pulled: bool,
    /// How it should be: `running` or `completed`; absent when bringing the project up does not start it.
    pub expected: Option<String>,
}

/// The projects among the desired resources.
#[must_use]
pub fn projects(desired: &[DesiredResource]) -> Vec<ComposeProject> {
    let compose = desired.iter().filter(|r| r.address.provider == "host");
    compose.filter(|r| r.address.kind == "compose").filter_map(project).collect()
}

fn project(resource: &DesiredResource) -> Option<ComposeProject> {
    let directory = resource.text("directory")?.to_owned();
    let yaml = content_of(resource).and_then(|content| content.text.as_ref());
    let yaml = yaml.map(|text| text.expose()).unwrap_or_default();
    // What cannot be read was reported by the type's own check.
    let model = Project::read(yaml, &directory).unwrap_or_default();
    let expected = model.expected();
    let service = |(name, service): (&String, &crate::compose::project::Service)| {
        let expected = expected.get(name).map(|word| (*word).to_owned());
        let pulled = model.pulled(service).is_some();
        (name.clone(), ComposeService { image: service.image.clone(), pulled, expected })
    };
    let seconds = resource.attributes.get("timeout").and_then(Value::as_int).unwrap_or(600);
    Some(ComposeProject {
        address: resource.address.clone(),
        home: resource.home.clone()?,
        name: text(&resource.attributes, "project")?.to_owned(),
        services: model.services.iter().map(service).collect(),
        ports: published_ports(yaml),
        timeout: Duration::from_secs(seconds.unsigned_abs()),
        directory,
    })
}

/// The ports that a project with these attributes publishes.
pub(crate) fn openings(attributes: &Attributes) -> Vec<Opening> {
    let content = attributes.get("content").and_then(Value::as_content);
    let yaml = content.and_then(|content| content.text.as_ref());
    let host = text(attributes, "host").and_then(|host| host.parse::<Address>().ok());
    let (Some(yaml), Some(host)) = (yaml, host) else { return Vec::new() };
    let opening = |port: PublishedPort| Opening {
        host: host.clone(),
        protocol: port.protocol,
        ports: exposure::ports(&port.published),
        service: port.service,
        local: port.host_ip.is_some_and(|ip| ip.starts_with("127.") || ip == "::1"),
    };
    published_ports(yaml.expose()).into_iter().map(opening).collect()
}

impl ComposeProject {
    fn place(&self) -> Place<'_> {
        Place { name: &self.name, directory: &self.directory }
    }

    /// Shell text that prints what services have logged; all of them when none is named.
    #[must_use]
    pub fn logs(&self, services: &[&str], choice: &LogChoice) -> String {
        self.place().logs(services, choice)
    }

    /// Shell text that runs a command in a service's container.
    #[must_use]
    pub fn exec(&self, service: &str, words: &[String], terminal: bool) -> String {
        self.place().exec(service, words, terminal)
    }

    /// Shell text that starts the project from the file on the host.
    #[must_use]
    pub fn up(&self) -> String {
        self.place().up()
    }

    /// Shell text that lists the services of the file on the host.
    pub(crate) fn names(&self) -> String {
        self.place().names()
    }

    /// Shell text that removes its containers and keeps its volumes.
    #[must_use]
    pub fn down(&self) -> String {
        self.place().down()
    }

    /// Shell text that stops services and starts them again.
    #[must_use]
    pub fn restart(&self, services: &[&str]) -> String {
        self.place().restart(services)
    }
}
