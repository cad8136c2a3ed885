//! PostgreSQL opens no data of another major version: a change that would try is refused, with the way that works.

use ipai_core::release::{postgres_major, postgres_way};
use ipai_core::{Fault, RemoteError};

use crate::compose::project::{Project as Model, Service};
use crate::observe::containers::{Container, by_service};

/// A service whose image would be of another major version than the data that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherMajor {
    pub(crate) service: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl OtherMajor {
    /// The first such service of a project, if any. One-shot services run a client and have no data; a service that
    /// gets another volume begins with an empty one.
    pub(crate) fn of(model: &Model, project: &str, containers: &[Container]) -> Option<Self> {
        let found = by_service(containers, project);
        let one = |(name, service): (&String, &Service)| {
            let to = postgres_major(service.image.as_deref()?)?;
            let own = found.get(name.as_str())?.iter();
            let old = own.filter(|container| container.has_run());
            let mut old = old.filter(|container| keeps_data(model, project, service, container));
            let from =
                old.find_map(|c| postgres_major(&c.image_name).filter(|from| *from != to))?;
            (!service.one_shot).then(|| Self { service: name.clone(), from, to })
        };
        model.services.iter().find_map(one)
    }

    /// Why it cannot be.
    pub(crate) fn why(&self) -> String {
        let Self { service, from, to } = self;
        format!(
            "PostgreSQL {to} cannot open the data that PostgreSQL {from} of service {service} wrote"
        )
    }

    /// The way that works.
    pub(crate) fn recipe(&self, project: &str) -> String {
        postgres_way(project, &self.service, self.from, self.to)
    }
}

/// Tells whether the service would see the data that this container sees. What is not known counts as data.
fn keeps_data(model: &Model, project: &str, service: &Service, container: &Container) -> bool {
    let same = |source: &String| {
        let given = model.volumes.get(source).cloned();
        let name = given.unwrap_or_else(|| format!("{project}_{source}"));
        container.mounts.iter().any(|mount| *mount == name || mount == source)
    };
    container.mounts.is_empty() || service.data.is_empty() || service.data.iter().any(same)
}

/// Refuses a deployment that would let PostgreSQL open data of another major version.
pub(super) fn refuse(
    model: &Model,
    project: &str,
    containers: &[Container],
) -> Result<(), RemoteError> {
    let Some(other) = OtherMajor::of(model, project, containers) else { return Ok(()) };
    let error = RemoteError::new(Fault::Refused, "check the Compose file", other.why());
    Err(error.hint(other.recipe(project)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(image: &str, mounts: &[&str]) -> Container {
        let label =
            |name: &str, value: &str| (format!("com.docker.compose.{name}"), value.to_owned());
        Container {
            labels: [label("project", "ops"), label("service", "db")].into(),
            started: "2026-11-24T06:06:19Z".into(),
            image_name: image.into(),
            mounts: mounts.iter().map(|mount| (*mount).to_owned()).collect(),
            ..Container::default()
        }
    }

    fn found(yaml: &str, container: Container) -> Option<(u64, u64)> {
        let model = Model::read(yaml, "/opt/ops").unwrap();
        OtherMajor::of(&model, "ops", &[container]).map(|other| (other.from, other.to))
    }

    const YAML: &str = "services:\n  db: {image: \"postgres:17.2\", volumes: [\"data:/var/lib/postgresql/data\"]}\n";

    #[test]
    fn another_major_on_the_same_volume_is_found() {
        assert_eq!(found(YAML, running("postgres:16.4-alpine", &["ops_data"])), Some((16, 17)));
        assert_eq!(found(YAML, running("postgres:18", &[])), Some((18, 17)));
        let named = format!("{YAML}volumes: {{data: {{name: pg}}}}\n");
        assert_eq!(found(&named, running("postgres:16", &["pg"])), Some((16, 17)));
        assert_eq!(found(&named, running("postgres:16", &["ops_data"])), None);
    }

    #[test]
    fn the_same_major_another_volume_or_one_that_never_ran_is_none() {
        assert_eq!(found(YAML, running("postgres:17.1", &["ops_data"])), None);
        assert_eq!(found(YAML, running("postgres:16", &["ops_old"])), None);
        assert_eq!(found(YAML, running("mysql:8", &["ops_data"])), None);
        let never =
            Container { started: "0001-01-01T00:00:00Z".into(), ..running("postgres:16", &[]) };
        assert_eq!(found(YAML, never), None);
        let job = YAML.replace("volumes", "restart: \"no\", volumes");
        assert_eq!(found(&job, running("postgres:16", &["ops_data"])), None);
    }
}
