//! The envelope around every answer.

use serde_json::{Value, json};

use crate::call::Reply;

/// An answer that holds something.
pub(super) fn success(result: Value) -> Reply {
    let body = json!({"result": result, "success": true, "errors": [], "messages": []});
    Reply::json(200, body)
}

/// One page of a list. The page after the last is an answer with nothing in it, not an error.
pub(super) fn page(items: Vec<Value>, page: usize, per_page: usize) -> Reply {
    let total = items.len();
    let from = (page - 1).saturating_mul(per_page);
    let shown: Vec<Value> = items.into_iter().skip(from).take(per_page).collect();
    let info = json!({
        "page": page, "per_page": per_page, "count": shown.len(), "total_count": total,
        "total_pages": total.div_ceil(per_page),
    });
    Reply::json(
        200,
        json!({
            "result": shown, "success": true, "errors": [], "messages": [], "result_info": info,
        }),
    )
}

/// An answer that says what went wrong.
pub(crate) fn error(status: u16, code: u32, message: &str) -> Reply {
    failure(status, json!([{"code": code, "message": message}]))
}

/// A value that the DNS service refuses: one code for all, the reason in the chain.
pub(super) fn invalid(code: u32, message: &str) -> Reply {
    let chain = json!([{"code": code, "message": message}]);
    let error = json!({"code": 1004, "message": "DNS Validation Error", "error_chain": chain});
    failure(400, json!([error]))
}

/// What a token gets that is not even shaped like one.
pub(super) fn malformed_token() -> Reply {
    let chain = json!([{"code": 6111, "message": "Invalid format for Authorization header"}]);
    let error = json!({"code": 6003, "message": "Invalid request headers", "error_chain": chain});
    failure(400, json!([error]))
}

/// What a path gets that leads nowhere.
pub(crate) fn no_route(path: &str) -> Reply {
    let text =
        format!("Could not route to /client/v4{path}, perhaps your object identifier is invalid?");
    let errors = json!([
        {"code": 7003, "message": text}, {"code": 7000, "message": "No route for that URI"},
    ]);
    failure(400, errors)
}

fn failure(status: u16, errors: Value) -> Reply {
    let body = json!({"result": null, "success": false, "errors": errors, "messages": []});
    Reply::json(status, body)
}
