//! The calls that ipai makes, as values. Sending them is another matter.

use cloudflare::endpoints::account::user::GetUserTokenStatus;
use cloudflare::endpoints::zones::zone::ListZonesParams;
use cloudflare::framework::Environment;
use cloudflare::framework::endpoint::spec::EndpointSpec;
use cloudflare::framework::endpoint::{Method, RequestBody, serialize_query};
use cloudflare::framework::response::ApiSuccess;
use reqwest::Url;
use serde::Serialize;
use serde_json::Value as Json;

use crate::wire::{BatchAnswer, Deleted, Record, RecordList, ZoneList};

/// How many records one page may bring; the API allows far more, answers this size stay below a few megabytes.
pub(crate) const PAGE_SIZE: u64 = 5_000;

/// Marks calls that change nothing; a reader sends no others.
pub(crate) trait Read: EndpointSpec {}

/// Lists zones by exact name.
#[derive(Debug)]
pub(crate) struct FindZone<'a> {
    pub(crate) name: &'a str,
}

impl EndpointSpec for FindZone<'_> {
    type JsonResponse = ZoneList;
    type ResponseType = ApiSuccess<ZoneList>;

    fn method(&self) -> Method {
        Method::GET
    }
    fn path(&self) -> String {
        "zones".to_owned()
    }
    fn query(&self) -> Option<String> {
        let name = Some(self.name.to_owned());
        serialize_query(&ListZonesParams { name, ..ListZonesParams::default() })
    }
}

/// Lists the zones that the token sees: the first page.
#[derive(Debug)]
pub(crate) struct ListZones;

impl ListZones {
    /// The most that a page of zones may bring.
    pub(crate) const MOST: u32 = 50;
}

impl EndpointSpec for ListZones {
    type JsonResponse = ZoneList;
    type ResponseType = ApiSuccess<ZoneList>;

    fn method(&self) -> Method {
        Method::GET
    }
    fn path(&self) -> String {
        "zones".to_owned()
    }
    fn query(&self) -> Option<String> {
        let per_page = Some(Self::MOST);
        serialize_query(&ListZonesParams { per_page, ..ListZonesParams::default() })
    }
}

/// Lists the records of a zone whose comment begins with a text: the first page.
#[derive(Debug)]
pub(crate) struct MarkedRecords<'a> {
    pub(crate) zone: &'a str,
    pub(crate) prefix: &'a str,
}

#[derive(Serialize)]
struct MarkedQuery<'a> {
    #[serde(rename = "comment.startswith")]
    prefix: &'a str,
    per_page: u64,
}

impl EndpointSpec for MarkedRecords<'_> {
    type JsonResponse = RecordList;
    type ResponseType = ApiSuccess<RecordList>;

    fn method(&self) -> Method {
        Method::GET
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records", self.zone)
    }
    fn query(&self) -> Option<String> {
        serialize_query(&MarkedQuery { prefix: self.prefix, per_page: PAGE_SIZE })
    }
}

/// Lists a page of a zone's records.
#[derive(Debug)]
pub(crate) struct ListRecords<'a> {
    pub(crate) zone: &'a str,
    /// From 1.
    pub(crate) page: u64,
}

#[derive(Serialize)]
struct PageQuery {
    page: u64,
    per_page: u64,
}

impl EndpointSpec for ListRecords<'_> {
    type JsonResponse = RecordList;
    type ResponseType = ApiSuccess<RecordList>;

    fn method(&self) -> Method {
        Method::GET
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records", self.zone)
    }
    fn query(&self) -> Option<String> {
        serialize_query(&PageQuery { page: self.page, per_page: PAGE_SIZE })
    }
}

/// Lists the records of one name and type.
#[derive(Debug)]
pub(crate) struct FindRecords<'a> {
    pub(crate) zone: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
}

#[derive(Serialize)]
struct RecordQuery<'a> {
    name: &'a str,
    r#type: &'a str,
}

impl EndpointSpec for FindRecords<'_> {
    type JsonResponse = RecordList;
    type ResponseType = ApiSuccess<RecordList>;

    fn method(&self) -> Method {
        Method::GET
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records", self.zone)
    }
    fn query(&self) -> Option<String> {
        serialize_query(&RecordQuery { name: self.name, r#type: self.kind })
    }
}

/// Creates a record.
#[derive(Debug)]
pub(crate) struct CreateRecord<'a> {
    pub(crate) zone: &'a str,
    pub(crate) record: &'a Json,
}

impl EndpointSpec for CreateRecord<'_> {
    type JsonResponse = Record;
    type ResponseType = ApiSuccess<Record>;

    fn method(&self) -> Method {
        Method::POST
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records", self.zone)
    }
    fn body(&self) -> Option<RequestBody<'_>> {
        Some(RequestBody::Json(self.record.to_string()))
    }
}

/// Changes a record. The id must be a checked one.
#[derive(Debug)]
pub(crate) struct ChangeRecord<'a> {
    pub(crate) zone: &'a str,
    pub(crate) id: &'a str,
    pub(crate) change: &'a Json,
}

impl EndpointSpec for ChangeRecord<'_> {
    type JsonResponse = Record;
    type ResponseType = ApiSuccess<Record>;

    fn method(&self) -> Method {
        Method::PATCH
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records/{}", self.zone, self.id)
    }
    fn body(&self) -> Option<RequestBody<'_>> {
        Some(RequestBody::Json(self.change.to_string()))
    }
}

/// Deletes a record. The id must be a checked one.
#[derive(Debug)]
pub(crate) struct DeleteRecord<'a> {
    pub(crate) zone: &'a str,
    pub(crate) id: &'a str,
}

impl EndpointSpec for DeleteRecord<'_> {
    type JsonResponse = Deleted;
    type ResponseType = ApiSuccess<Deleted>;

    fn method(&self) -> Method {
        Method::DELETE
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records/{}", self.zone, self.id)
    }
}

/// Changes records of a zone in one transaction.
#[derive(Debug)]
pub(crate) struct ChangeRecords<'a> {
    pub(crate) zone: &'a str,
    pub(crate) batch: &'a Batch,
}

/// What a batch does. Cloudflare runs the lists in this order, each in the order given.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Batch {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deletes: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) patches: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) posts: Vec<Json>,
}

impl EndpointSpec for ChangeRecords<'_> {
    type JsonResponse = BatchAnswer;
    type ResponseType = ApiSuccess<BatchAnswer>;

    fn method(&self) -> Method {
        Method::POST
    }
    fn path(&self) -> String {
        format!("zones/{}/dns_records/batch", self.zone)
    }
    fn body(&self) -> Option<RequestBody<'_>> {
        // Maps with text keys and no foreign types: this serialisation cannot fail.
        Some(RequestBody::Json(serde_json::to_string(self.batch).unwrap_or_default()))
    }
}

impl Read for FindZone<'_> {}
impl Read for ListZones {}
impl Read for MarkedRecords<'_> {}
impl Read for ListRecords<'_> {}
impl Read for FindRecords<'_> {}
impl Read for GetUserTokenStatus {}

/// A request as it goes over the wire, credentials left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<String>,
}

impl Request {
    /// Builds the request of a call. `environment` holds an address that was checked before.
    pub(crate) fn of<E: EndpointSpec>(call: &E, environment: &Environment) -> Self {
        let body = match call.body() {
            Some(RequestBody::Json(text)) => Some(text),
            _ => None,
        };
        Self { method: call.method(), url: call.url(environment), body }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(call: &impl EndpointSpec) -> Request {
        Request::of(call, &Environment::Custom("http://127.0.0.1:1/client/v4/".into()))
    }

    #[test]
    fn reading_calls_have_their_exact_wire_form() {
        let base = "http://127.0.0.1:1/client/v4";
        let find = at(&FindZone { name: "example.com" });
        let list = at(&ListRecords { zone: "z1", page: 2 });
        let verify = at(&GetUserTokenStatus {});
        let zones = at(&ListZones);
        let marked = at(&MarkedRecords { zone: "z1", prefix: "ipai ops " });
        assert_eq!(zones.url.as_str(), format!("{base}/zones?per_page=50"));
        assert_eq!(
            marked.url.as_str(),
            format!("{base}/zones/z1/dns_records?comment.startswith=ipai+ops+&per_page=5000")
        );
        assert_eq!(find.url.as_str(), format!("{base}/zones?name=example.com"));
        assert_eq!(list.url.as_str(), format!("{base}/zones/z1/dns_records?page=2&per_page=5000"));
        assert_eq!(verify.url.as_str(), format!("{base}/user/tokens/verify"));
        for request in [find, list, verify, zones, marked] {
            assert_eq!((request.method, request.body), (Method::GET, None));
        }
    }

    #[test]
    fn calls_on_single_records_have_their_exact_wire_form() {
        let body = json!({"type": "TXT", "comment": "c"});
        let find = at(&FindRecords { zone: "z1", name: "a._b.example.com", kind: "TXT" });
        let create = at(&CreateRecord { zone: "z1", record: &body });
        let change = at(&ChangeRecord { zone: "z1", id: "r1", change: &body });
        let delete = at(&DeleteRecord { zone: "z1", id: "r1" });
        let text = body.to_string();
        for (request, method, path, body) in [
            (find, Method::GET, "?name=a._b.example.com&type=TXT", None),
            (create, Method::POST, "", Some(&text)),
            (change, Method::PATCH, "/r1", Some(&text)),
            (delete, Method::DELETE, "/r1", None),
        ] {
            let url = format!("http://127.0.0.1:1/client/v4/zones/z1/dns_records{path}");
            assert_eq!((request.url.as_str(), request.method), (&*url, method));
            assert_eq!(request.body.as_ref(), body);
        }
    }

    #[test]
    fn a_batch_leaves_out_its_empty_lists() {
        let batch = Batch { deletes: vec![json!({"id": "r1"})], ..Batch::default() };
        let request = at(&ChangeRecords { zone: "z1", batch: &batch });
        assert_eq!(request.url.path(), "/client/v4/zones/z1/dns_records/batch");
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.body.as_deref(), Some(r#"{"deletes":[{"id":"r1"}]}"#));
    }
}
