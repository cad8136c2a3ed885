//! The images that an engine holds, and the names that they have.

use super::super::ToolFaults;
use super::super::args::{switch, valued};
use super::engine::{Engine, digest};
use super::inspect::without_tag;
use super::{Docker, Failure, Outcome, print, read, show};

impl Engine {
    /// The id of the image that a reference names, or would name. There are no bytes to hash, so it is the hash of
    /// the first name that the image had.
    pub(super) fn image_id(&self, reference: &str) -> String {
        self.ids.get(reference).cloned().unwrap_or_else(|| first_id(reference, ""))
    }

    /// The id of an image that is here, by its name or its id.
    pub(super) fn image(&self, name: &str) -> Option<String> {
        if self.images.contains(name) {
            return Some(self.image_id(name));
        }
        let used = self.containers.iter().map(|container| &container.image);
        let named = self.images.iter().map(|reference| self.image_id(reference));
        let mut all = named.chain(self.loose.iter().chain(used).cloned());
        all.find(|id| !id.is_empty() && id == name)
    }

    /// Brings an image here, or says what a registry would.
    pub(super) fn pull(&mut self, image: &str, faults: &ToolFaults) -> Result<(), String> {
        if faults.unpullable.iter().any(|bad| bad == image) {
            return Err(format!(
                "manifest for {image} not found: manifest unknown: manifest unknown"
            ));
        }
        let word = faults.moved.get(image).map_or("", String::as_str);
        self.name_image(image, first_id(image, word));
        Ok(())
    }

    /// Lets a reference name an image; what it named before stays without a name.
    pub(super) fn name_image(&mut self, reference: &str, id: String) {
        if self.images.contains(reference) {
            let before = self.image_id(reference);
            self.loose.insert(before);
        }
        self.images.insert(reference.to_owned());
        self.ids.insert(reference.to_owned(), id);
    }
}

impl Docker<'_> {
    /// Runs `docker tag SOURCE TARGET`.
    pub(super) fn tag(&self, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[])?;
        let [source, target] = &parsed.words[..] else {
            return Err(Failure::usage("\"docker tag\" requires exactly 2 arguments."));
        };
        if target.contains('@') {
            return Err(Failure::engine("refusing to create a tag with a digest reference"));
        }
        self.engine(|engine| {
            let id = engine
                .image(source)
                .ok_or_else(|| Failure::engine(format!("No such image: {source}")))?;
            engine.name_image(target, id);
            Ok(())
        })?
    }

    /// Runs `docker image rm NAME…`: the name goes, and with the last name of an image that no container uses the
    /// image.
    pub(super) fn remove_images(&self, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[switch(&["--force", "-f"])])?;
        for name in &parsed.words {
            self.engine(|engine| {
                if engine.image(name).is_none() {
                    return Err(Failure::engine(format!("No such image: {name}")));
                }
                engine.images.remove(name);
                engine.ids.remove(name);
                engine.loose.remove(name);
                Ok(())
            })??;
            print(format!("Untagged: {name}\n"));
        }
        Ok(())
    }

    /// Runs `docker pull REFERENCE`.
    pub(super) fn pull(&self, arguments: &[String]) -> Outcome {
        let parsed = read(arguments, &[switch(&["--quiet", "-q"]), valued(&["--platform"])])?;
        for reference in &parsed.words {
            self.engine(|engine| engine.pull(reference, &self.faults))?.map_err(Failure::engine)?;
            print(format!("{reference}\n"));
        }
        Ok(())
    }

    /// Runs `docker image ls`.
    pub(super) fn list_images(&self, arguments: &[String]) -> Outcome {
        let parsed = read(
            arguments,
            &[switch(&["--quiet", "-q"]), switch(&["--no-trunc"]), valued(&["--format"])],
        )?;
        let images = self.engine(|engine| {
            let named = engine.images.iter();
            named.map(|image| (image.clone(), engine.image_id(image))).collect::<Vec<_>>()
        })?;
        for (image, id) in &images {
            let (repository, tag) = match image.split_once('@') {
                Some((name, _)) => (without_tag(name), "<none>"),
                None => image.rsplit_once(':').unwrap_or((image, "latest")),
            };
            let row = serde_json::json!({"ID": id, "Repository": repository, "Tag": tag});
            match parsed.value("--format") {
                _ if parsed.has("--quiet") => print(format!("{id}\n")),
                Some(format) => show(format, &row)?,
                None => print(format!("{repository}\t{tag}\t{id}\n")),
            }
        }
        Ok(())
    }

    pub(super) fn prune_images(&self) -> Outcome {
        self.engine(|engine| {
            let used: Vec<&String> = engine.containers.iter().map(|c| &c.recipe.image).collect();
            engine.images.retain(|image| used.contains(&image));
            engine.loose.clear();
        })?;
        print("Total reclaimed space: 0B\n");
        Ok(())
    }
}

/// The id of an image by the name that it had first, and by a word that tells it from others of that name.
fn first_id(reference: &str, word: &str) -> String {
    // A digest says by itself which image is meant, whatever tag stands before it.
    let (name, digested) = reference.split_once('@').unwrap_or((reference, ""));
    let reference = match digested {
        "" => name.to_owned(),
        digested => format!("{}@{digested}", without_tag(name)),
    };
    let word = if word.is_empty() { String::new() } else { format!(" {word}") };
    format!("sha256:{}", digest(&format!("{reference}{word}")))
}

#[cfg(test)]
mod tests {
    use super::first_id;

    #[test]
    fn a_digest_says_which_image_is_meant_whatever_tag_stands_before_it() {
        let id = |reference: &str| first_id(reference, "");
        assert_eq!(id("r.example:5000/a:1@sha256:12"), id("r.example:5000/a@sha256:12"));
        assert_ne!(id("a:1@sha256:12"), id("a:1@sha256:34"));
        assert_ne!(id("a:1@sha256:12"), id("a:1"));
    }
}
