#!/usr/bin/env python3
"""Make countries.csv: one centre and one bounding radius for each country.

    python3 countries.py countries-10m.json country_centroids.csv iso3166.tab zone.tab > countries.csv

countries-10m.json   npm package world-atlas 2.0.2 (Natural Earth 4.1, public domain)
country_centroids.csv  beside this file: ISO codes and the centroid of each country's largest part
iso3166.tab, zone.tab  tzdata 2025b (public domain): the names, and the zone of each country that has only one

The centre is the centroid of the country's largest part. The radius is the distance from there to the
farthest vertex of any of its parts, plus 2 % (sphere against ellipsoid, generalised coast) and 25 km
(small islands and border towns left out of the outline), so that every place of the country lies inside.
Parts that have an ISO code of their own (French Guiana, Svalbard, ...) are taken from the parent first.
"""
import csv, json, math, sys

EARTH_KM = 6371.0088

# Parts drawn inside another country's outline that have a code of their own: code -> (parent, [(lat, lon, km)]).
TERRITORIES = {
    "GF": ("France", [(4.0, -53.0, 400)]),
    "GP": ("France", [(16.2, -61.5, 80)]),
    "MQ": ("France", [(14.65, -61.0, 60)]),
    "RE": ("France", [(-21.1, 55.5, 100)]),
    "YT": ("France", [(-12.8, 45.15, 60)]),
    "SJ": ("Norway", [(78.5, 18.0, 600), (71.0, -8.4, 100)]),
    "BV": ("Norway", [(-54.4, 3.4, 100)]),
    "BQ": ("Netherlands", [(12.2, -68.3, 60), (17.5, -63.1, 60)]),
    "CC": ("Indian Ocean Ter.", [(-12.2, 96.85, 100)]),
    "CX": ("Indian Ocean Ter.", [(-10.5, 105.65, 100)]),
}
# Outlines without a code: whose addresses may lie there. Kosovo has the user-assigned XK and counts for RS too.
UNCODED = {
    "Somaliland": ["SO"], "Kosovo": ["XK", "RS"], "Siachen Glacier": ["IN", "PK"], "Baikonur": ["KZ"],
    "N. Cyprus": ["CY"], "Cyprus U.N. Buffer Zone": ["CY"], "Dhekelia": ["CY"], "Akrotiri": ["CY"],
    "Coral Sea Is.": ["AU"], "Ashmore and Cartier Is.": ["AU"],
}
# Not drawn by Natural Earth at this scale: centre and radius by hand (three atolls, 171 km end to end).
BY_HAND = {"TK": (-9.1667, -171.8333, 150, 12)}


def km(a, b):
    (la, lo), (lb, ob) = [(math.radians(x), math.radians(y)) for x, y in (a, b)]
    h = math.sin((lb - la) / 2) ** 2 + math.cos(la) * math.cos(lb) * math.sin((ob - lo) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(h)))


def outlines(world):
    """name, id and the outer rings of every feature, as (lat, lon) points"""
    (sx, sy), (tx, ty) = world["transform"]["scale"], world["transform"]["translate"]
    arcs = []
    for arc in world["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((y * sy + ty, x * sx + tx))
        arcs.append(points)
    for shape in world["objects"]["countries"]["geometries"]:
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        rings = [[p for i in polygon[0] for p in (arcs[i] if i >= 0 else arcs[~i][::-1])] for polygon in polygons]
        yield shape["properties"]["name"], shape.get("id"), rings


def area_and_centroid(ring):
    """planar shoelace in a local equirectangular frame: enough for the small territories it is used on"""
    lat0, lon0 = ring[0]
    k = math.cos(math.radians(lat0))
    flat = [((lon - lon0) * k, lat - lat0) for lat, lon in ring]
    a = cx = cy = 0.0
    for (x0, y0), (x1, y1) in zip(flat, flat[1:] + flat[:1]):
        cross = x0 * y1 - x1 * y0
        a, cx, cy = a + cross / 2, cx + (x0 + x1) * cross / 6, cy + (y0 + y1) * cross / 6
    if a == 0:  # an islet collapsed to a point or a line by the outline's grid
        return 0.0, ring[0]
    return abs(a) * (EARTH_KM * math.pi / 180) ** 2, (lat0 + cy / a, lon0 + cx / a / k)


def radius(centre, rings):
    return math.ceil((max(km(centre, p) for ring in rings for p in ring) * 1.02 + 25) / 5) * 5


def main(atlas, centroids, iso, zone_tab):
    names = dict(line.rstrip("\n").split("\t") for line in open(iso, encoding="utf-8") if not line.startswith("#"))
    zones = {}
    for line in open(zone_tab, encoding="utf-8"):
        if not line.startswith("#"):
            code, _, zone = line.rstrip("\n").split("\t")[:3]
            zones.setdefault(code, []).append(zone)
    rows = {}
    for row in csv.DictReader(open(centroids, encoding="utf-8")):
        # One code may have several outlines (Australia and the Ashmore reef): the largest gives the centre.
        if row["alpha2"] not in rows or float(row["area_km2"]) > float(rows[row["alpha2"]]["area_km2"]):
            rows[row["alpha2"]] = row
    by_number = {row["numeric"]: code for code, row in rows.items()}

    parts = {}
    for name, number, rings in outlines(json.load(open(atlas))):
        homes = UNCODED.get(name) or ([by_number[number]] if number in by_number else [])
        for ring in rings:
            middle = area_and_centroid(ring)[1]
            own = [c for c, (parent, spots) in TERRITORIES.items()
                   if parent == name and any(km(middle, (la, lo)) < reach for la, lo, reach in spots)]
            for code in own or homes:
                parts.setdefault(code, []).append(ring)

    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["alpha2", "name", "lat", "lon", "radius_km", "area_km2", "time_zone"])
    for code in sorted(set(rows) | set(parts) | set(BY_HAND)):
        if code in BY_HAND:
            lat, lon, reach, area = BY_HAND[code]
        elif code in rows:
            row = rows[code]
            lat, lon = float(row["mainland_centroid_lat"]), float(row["mainland_centroid_lon"])
            reach, area = radius((lat, lon), parts[code]), row["area_km2"]
            if float(area) > 2e7:  # the Maldives' rings are wound the other way and enclose the rest of the Earth
                area = round(sum(area_and_centroid(r)[0] for r in parts[code]))
        else:
            largest = max(map(area_and_centroid, parts[code]))
            lat, lon = largest[1]
            reach, area = radius((lat, lon), parts[code]), round(sum(area_and_centroid(r)[0] for r in parts[code]))
        name = names.get(code) or {"XK": "Kosovo"}.get(code) or rows[code]["name"]
        zone = zones.get(code, [])
        out.writerow([code, name, f"{lat:.4f}", f"{lon:.4f}", reach, area, zone[0] if len(zone) == 1 else ""])


if __name__ == "__main__":
    main(*sys.argv[1:])
