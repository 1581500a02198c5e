//! Managed lists: `/v1/lists/{list}/entries`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use engine::lists::{parse_entry, plain};
use engine::types::Type;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::{Caller, Right};
use crate::caches::refuse;
use crate::error::{ApiError, Problem};
use crate::http::body::JsonObject;
use crate::http::params::{Ids, Query};
use crate::json::Fields;
use crate::policies::TenantPolicies;
use crate::store::{ListChange, ListEntry, ListEntryId, NewListEntry};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/lists/{list}/entries", get(read).post(add).delete(remove))
}

/// `GET /v1/lists/{list}/entries`: what was added to the list and still is on it.
#[utoipa::path(get, path = "/lists/{list}/entries", tag = "lists", params(("list" = String, Path)),
    responses((status = 200, description = "the entries added at run time", body = Object),
        (status = 404, description = "the pack has no such managed list")))]
pub(super) async fn read(State(app): State<App>, caller: Caller, ids: Ids) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Read)?;
    let policies = app.policies.of(&caller.tenant);
    let (list, _) = managed(&policies, ids.text("list"))?;
    let entries = app.store.list_entries(&caller.tenant, Some(list.as_str()), app.clock.now()).await.map_err(refuse)?;
    Ok(Json(json!({"list": list, "entries": entries.iter().map(shown).collect::<Vec<_>>()})))
}

/// `POST /v1/lists/{list}/entries`: `{value, reason?, expiresAt?}`; rules see it at once.
#[utoipa::path(post, path = "/lists/{list}/entries", tag = "lists", params(("list" = String, Path)),
    request_body(content = Object, description = "`{value, reason?, expiresAt?}`"),
    responses((status = 200, description = "the entry", body = Object)))]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    JsonObject(body): JsonObject,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Govern)?;
    let now = app.clock.now();
    let policies = app.policies.of(&caller.tenant);
    let (list, element) = managed(&policies, ids.text("list"))?;
    let mut fields = Fields::of(&body);
    fields.only(&["value", "reason", "expiresAt"]);
    let value = fields.required_text("value", 1024);
    let reason = fields.text("reason", 1024);
    let expires_at = fields.text("expiresAt", 64).map(|text| text.parse::<Timestamp>());
    if let Some(Err(_)) = expires_at {
        fields.issue("expiresAt", "wrong-type", "expected an RFC 3339 time such as 2026-03-01T10:00:00Z");
    }
    let expires_at = match expires_at {
        Some(asked) => asked.ok(),
        None => policies.program().list_ttl(&list).and_then(|ttl| now.checked_add(ttl).ok()),
    };
    if expires_at.is_some_and(|at| at <= now) {
        fields.issue("expiresAt", "in-the-past", "an entry must end in the future");
    }
    let parsed = parse_entry(&value, &element);
    if parsed.is_none() && !value.is_empty() {
        fields.issue("value", "wrong-type", format!("expected an entry of type {element}"));
    }
    fields.finish()?;
    let parsed = parsed.ok_or_else(|| ApiError::field("/value", "missing-field", "this field is required"))?;
    // The row that has the value is taken up again, however it spells it.
    let spelled = other_spellings(&app, &caller, &list, &parsed, &element).await?.into_iter().next();
    let entry = NewListEntry {
        tenant: caller.tenant,
        id: ListEntryId(app.random.uuid_v4()),
        list: list.clone(),
        value: spelled.unwrap_or_else(|| plain(&parsed)),
        reason,
        author: caller.key,
        at: now,
        expires_at,
    };
    let change = app.store.add_list_entry(entry).await.map_err(refuse)?;
    policies.list_added(&list, &parsed, expires_at);
    match change {
        ListChange::Changed(entry) | ListChange::AsBefore(Some(entry)) => Ok(Json(shown(&entry))),
        ListChange::AsBefore(None) => Err(ApiError::internal("an added list entry is not there")),
    }
}

/// `DELETE /v1/lists/{list}/entries?value=…`
#[utoipa::path(delete, path = "/lists/{list}/entries", tag = "lists",
    params(("list" = String, Path), ("value" = String, Query)),
    responses((status = 200, description = "the entry is gone", body = Object),
        (status = 404, description = "the value was not on the list")))]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    ids: Ids,
    mut query: Query,
) -> Result<Json<Value>, ApiError> {
    caller.must(Right::Govern)?;
    let policies = app.policies.of(&caller.tenant);
    let (list, element) = managed(&policies, ids.text("list"))?;
    let value = query.parsed("value", &format!("an entry of type {element}"), |text| parse_entry(text, &element));
    query.finish()?;
    let value = value.ok_or_else(|| ApiError::field("/query/value", "missing-field", "this parameter is required"))?;
    let now = app.clock.now();
    let mut spellings = other_spellings(&app, &caller, &list, &value, &element).await?;
    spellings.push(plain(&value));
    let mut removed = false;
    for spelling in spellings {
        let change = app.store.remove_list_entry(&caller.tenant, &list, &spelling, &caller.key, now).await;
        removed |= matches!(change.map_err(refuse)?, ListChange::Changed(_));
    }
    policies.list_removed(&list, &value);
    if removed { Ok(Json(json!({"success": true}))) } else { Err(ApiError::not_found("entry on this list")) }
}

/// How else the value stands on the list: rules read an entry normalised, and rows keep what was written before that was so.
async fn other_spellings(
    app: &App,
    caller: &Caller,
    list: &str,
    value: &engine::value::Value,
    element: &Type,
) -> Result<Vec<String>, ApiError> {
    let entries = app.store.list_entries(&caller.tenant, Some(list), app.clock.now()).await.map_err(refuse)?;
    let now_written = plain(value);
    let same = |entry: &ListEntry| {
        entry.value != now_written && parse_entry(&entry.value, element).is_some_and(|read| plain(&read) == now_written)
    };
    Ok(entries.into_iter().filter(same).map(|entry| entry.value).collect())
}

/// The list's name without `@` and the type of its entries.
fn managed(policies: &TenantPolicies, name: &str) -> Result<(String, Type), ApiError> {
    let name = name.trim_start_matches('@');
    let program = policies.program();
    let found = program.managed_lists().find(|(known, _)| *known == name);
    let Some((name, element)) = found else {
        let known: Vec<&str> = program.managed_lists().map(|(name, _)| name).collect();
        let detail = format!("the pack has no managed list of this name; it has: {}", known.join(", "));
        return Err(ApiError::new(Problem::NotFound, detail));
    };
    Ok((name.to_owned(), element.clone()))
}

fn shown(entry: &ListEntry) -> Value {
    json!({
        "list": entry.list,
        "value": entry.value,
        "reason": entry.reason,
        "author": entry.author,
        "createdAt": entry.created_at.to_string(),
        "expiresAt": entry.expires_at.map(|at| at.to_string()),
    })
}
