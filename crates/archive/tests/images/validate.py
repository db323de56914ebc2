"""Says whether a bill of materials is valid, by validators that others wrote: validate.py cyclonedx|spdx FILE"""

import sys

form, path = sys.argv[1:]
if form == "cyclonedx":
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    with open(path) as file:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
    if error:
        sys.exit(str(error))
else:
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    messages = validate_full_spdx_document(parse_file(path))
    if messages:
        sys.exit("\n".join(f"{it.validation_message} {it.context}" for it in messages[:20]))
