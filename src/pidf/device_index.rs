//! Services and devices of a whole document, looked up once.

use std::collections::{HashMap, HashSet};

use super::certs::Certs;
use super::device::{Device, DeviceId};
use super::presence::Presence;
use super::tuple::Tuple;

/// Which services of a document run on which of its devices (RFC 4479, 3.3), for whoever asks about
/// many of them.
///
/// Making it takes one pass over the document; each question after that costs what is in its answer.
/// [`Presence::services_of`], [`Presence::certs_of`] and [`Presence::certificate_sources`] answer the
/// same, each with a pass of its own.
///
/// ```
/// use presentity::pidf::{Device, DeviceId, Presence, Tuple};
///
/// let id = DeviceId::new("urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7")?;
/// let document = Presence::new("sip:dora@example.com")
///     .with_tuple(Tuple::open("im").with(&id)?)
///     .with_tuple(Tuple::open("phone").with(&id)?)
///     .with_device(Device::new("handset", id));
///
/// let index = document.device_index();
/// for device in &document.devices {
///     assert_eq!(index.services_of(device).count(), 2);
/// }
/// for tuple in &document.tuples {
///     assert_eq!(index.devices_of(tuple).count(), 1);
/// }
/// # Ok::<(), presentity::pidf::ValueError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DeviceIndex<'p> {
    pub(super) presence: &'p Presence,
    groups: HashMap<String, Group<'p>>,
}

/// What has one identifier in common.
#[derive(Debug, Clone, Default)]
struct Group<'p> {
    /// Places in the document, rising.
    devices: Vec<usize>,
    services: Vec<&'p Tuple>,
    /// The usable stanzas of the devices with the places of those.
    certs: Vec<(usize, Certs)>,
    /// What they name as sources, each once.
    sources: Vec<(usize, Option<String>)>,
}

impl Presence {
    /// Which services run on which devices, for many questions about the same document.
    pub fn device_index(&self) -> DeviceIndex<'_> {
        let mut groups: HashMap<String, Group<'_>> = HashMap::new();
        let mut known = HashSet::new();
        for (place, device) in self.devices.iter().enumerate() {
            let Some(id) = device.device_id() else {
                continue;
            };
            let group = groups.entry(id.as_str().to_owned()).or_default();
            group.devices.push(place);
            for certs in device.certs() {
                if known.insert((id.clone(), certs.source.clone())) {
                    group.sources.push((place, certs.source.clone()));
                }
                group.certs.push((place, certs));
            }
        }
        for tuple in &self.tuples {
            for id in distinct_ids(tuple) {
                if let Some(group) = groups.get_mut(id.as_str()) {
                    group.services.push(tuple);
                }
            }
        }
        DeviceIndex {
            presence: self,
            groups,
        }
    }
}

impl<'p> DeviceIndex<'p> {
    /// The tuples of services that run on the device, in the order of the document.
    pub fn services_of(&self, device: &Device) -> impl Iterator<Item = &'p Tuple> {
        let id = device.device_id();
        let group = id.and_then(|id| self.groups.get(id.as_str()));
        group
            .into_iter()
            .flat_map(|group| group.services.iter().copied())
    }

    /// The devices that the service of a tuple runs on, in the order of the document. Several devices
    /// may have the same identifier, and a tuple may name several.
    pub fn devices_of(&self, tuple: &Tuple) -> impl Iterator<Item = &'p Device> {
        let devices = self.gathered(tuple, |group| group.devices.iter().map(|at| (*at, ())));
        let presence = self.presence;
        devices
            .into_iter()
            .filter_map(|(at, ())| presence.devices.get(at))
    }

    /// The usable stanzas of the devices of a tuple.
    pub(super) fn certs_of_devices(&self, tuple: &Tuple) -> impl Iterator<Item = Certs> {
        let certs = self.gathered(tuple, |group| {
            group.certs.iter().map(|(at, certs)| (*at, certs))
        });
        certs.into_iter().map(|(_, certs)| certs.clone())
    }

    /// What they name as sources, each about once.
    pub(super) fn sources_of_devices(&self, tuple: &Tuple) -> impl Iterator<Item = Option<String>> {
        let sources = self.gathered(tuple, |group| {
            group.sources.iter().map(|(at, source)| (*at, source))
        });
        sources.into_iter().map(|(_, source)| source.clone())
    }

    /// Something of all groups that a tuple is in, by the places of its devices.
    fn gathered<'a, T: 'a, I: Iterator<Item = (usize, T)> + 'a>(
        &'a self,
        tuple: &Tuple,
        of: impl Fn(&'a Group<'p>) -> I,
    ) -> Vec<(usize, T)> {
        let ids = distinct_ids(tuple);
        let groups = ids.iter().filter_map(|id| self.groups.get(id.as_str()));
        let mut all: Vec<(usize, T)> = groups.flat_map(of).collect();
        all.sort_by_key(|(at, _)| *at);
        all
    }
}

/// The identifiers that a tuple names, each once.
fn distinct_ids(tuple: &Tuple) -> Vec<DeviceId> {
    let mut known = HashSet::new();
    let ids = tuple.all::<DeviceId>();
    ids.filter(|id| known.insert(id.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> DeviceId {
        DeviceId::new(format!("urn:example:{name}")).unwrap()
    }

    fn tuple(name: &str, ids: &[&str]) -> Tuple {
        let mut tuple = Tuple::open(name);
        for name in ids {
            tuple.add(&id(name)).unwrap();
        }
        tuple
    }

    // PIDF-31
    #[test]
    fn services_and_devices_find_each_other() {
        let mut document = Presence::new("sip:dora@example.com")
            .with_tuple(tuple("a", &["x", "y", "x"]))
            .with_tuple(tuple("b", &[]))
            .with_tuple(tuple("c", &["y", "none"]))
            .with_device(Device::new("d", id("y")))
            .with_device(Device::new("e", id("x")))
            .with_device(Device::new("f", id("y")))
            .with_device(Device::new("g", id("z")));
        document.devices.push(Device::default());
        let index = document.device_index();
        let devices = |tuple: &Tuple| -> Vec<&str> {
            index
                .devices_of(tuple)
                .map(|device| device.id.as_str())
                .collect()
        };
        let found: Vec<_> = document.tuples.iter().map(devices).collect();
        assert_eq!(found, [vec!["d", "e", "f"], vec![], vec!["d", "f"]]);
        for (device, expected) in document.devices.iter().zip(["a c", "a", "a c", "", ""]) {
            let services: Vec<&str> = index.services_of(device).map(|it| it.id.as_str()).collect();
            assert_eq!(services.join(" "), expected);
            assert!(index.services_of(device).eq(document.services_of(device)));
        }
    }
}
