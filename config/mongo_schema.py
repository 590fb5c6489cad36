"""What the document classes declare, as MongoDB wants to hear it: a `$jsonSchema` validator and indexes for each collection."""

from typing import Any

import mongoengine
from mongoengine import fields
from mongoengine.base import get_document

_TYPES: list[tuple[type, list[str]]] = [
    (fields.BooleanField, ["bool"]),
    (fields.IntField, ["int", "long"]),
    (fields.LongField, ["int", "long"]),
    (fields.FloatField, ["double", "int", "long"]),
    (fields.Decimal128Field, ["decimal"]),
    (fields.DateTimeField, ["date"]),
    (fields.ObjectIdField, ["objectId"]),
    (fields.StringField, ["string"]),
]


def validator_of(document: type[mongoengine.Document]) -> dict[str, Any]:
    """The validator of the document's collection. Fields that no class declares are refused, too."""
    return {"$jsonSchema": _object(document)}


def _object(document: Any) -> dict[str, Any]:
    declared = list(document._fields.values())
    schema: dict[str, Any] = {"bsonType": "object"}
    if required := sorted(field.db_field for field in declared if field.required):
        schema["required"] = required
    schema["properties"] = {field.db_field: _field(field) for field in declared}
    schema["additionalProperties"] = False
    return schema


def _field(field: Any) -> dict[str, Any]:
    if isinstance(field, fields.EmbeddedDocumentField):
        return _nullable(_object(field.document_type), field)
    if isinstance(field, fields.MapField):
        inner = _field(field.field)
        return _nullable({"bsonType": "object", "additionalProperties": inner} if inner else {"bsonType": "object"}, field)
    if isinstance(field, fields.DictField):
        return _nullable({"bsonType": "object"}, field)
    if isinstance(field, fields.ListField):
        inner = _field(field.field) if field.field is not None else {}
        return _nullable({"bsonType": "array", "items": inner} if inner else {"bsonType": "array"}, field)
    if isinstance(field, fields.DynamicField):
        return {}
    for kind, names in _TYPES:
        if kind in type(field).__mro__:
            schema: dict[str, Any] = {"bsonType": names if len(names) > 1 else names[0]}
            if field.choices:
                schema["enum"] = [choice[0] if isinstance(choice, tuple) else choice for choice in field.choices]
            for limit, word in (("min_value", "minimum"), ("max_value", "maximum")):
                if getattr(field, limit, None) is not None:
                    schema[word] = getattr(field, limit)
            return _nullable(schema, field)
    raise TypeError(f"{type(field).__name__} has no type in config/mongo_schema.py.")


def _nullable(schema: dict[str, Any], field: Any) -> dict[str, Any]:
    if not field.null:
        return schema
    types = schema["bsonType"]
    schema = {**schema, "bsonType": [*(types if isinstance(types, list) else [types]), "null"]}
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema


def indexes_of(document: type[mongoengine.Document]) -> dict[str, dict[str, Any]]:
    """The declared indexes by name: `{"key": [[field, 1|-1|"text"], …], …options}`, as `listIndexes` shows them."""
    found = {}
    for declared in document._meta["index_specs"]:
        spec = dict(declared)
        key = [[name, direction] for name, direction in spec.pop("fields")]
        spec.pop("cls", None)
        name = spec.pop("name")
        found[name] = {"key": key, **{option: value for option, value in spec.items() if value is not False and value is not None}}
    return found


def documents() -> list[type[mongoengine.Document]]:
    """Every document class of ours that has a collection."""
    found, waiting = [], [mongoengine.Document]
    while waiting:
        for document in waiting.pop().__subclasses__():
            waiting.append(document)
            if not document._meta.get("abstract") and document.__module__.split(".")[0] in OURS:
                found.append(get_document(document.__name__))
    return sorted(set(found), key=lambda document: document._get_collection_name())


OURS = {"tenants", "integrations", "chat", "analytics", "dashboards"}
