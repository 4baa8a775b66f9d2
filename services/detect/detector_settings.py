"""What the detectors may be told: limits, times and chances, with units in their names and bounds. No loading."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DetectorSettings(BaseModel):
    """One configuration for all sensors of a kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    continuous_chance: float = Field(
        1e-4,
        gt=0,
        lt=1,
        description="continuous flow is raised when the learned chance of no pause falls below",
    )
    continuous_min_h: float = Field(
        12.0, ge=2, le=72, description="hours without a pause that are needed at least"
    )
    continuous_early_litres_per_h: float = Field(
        9.0,
        gt=0,
        description="a run is told before five sixths of `continuous_vendor_h` only if it never falls below",
    )
    continuous_vendor_h: float = Field(
        24.0,
        ge=12,
        le=240,
        description="hours without a pause after which a modest chance is enough; after five sixths of them "
        "`continuous_chance` is, however small the flow",
    )
    continuous_vendor_chance: float = Field(
        1e-3, gt=0, lt=1, description="the modest chance; it mutes homes that never sleep"
    )
    trickle_litres_per_h: float = Field(
        3.785,
        gt=0,
        description="a leak below this rate is for information only (1 US gallon per hour)",
    )
    critical_litres_per_h: float = Field(
        227.0, gt=0, description="a leak of this rate is critical (60 US gallons per hour)"
    )
    burst_litres_per_h: float = Field(
        300.0, gt=0, description="a rate below this is no burst, whatever is usual"
    )
    burst_quantile: float = Field(
        0.999,
        gt=0.5,
        lt=1,
        description="a burst exceeds this quantile of the meter's own hourly rates",
    )
    burst_night_h: float = Field(
        2.5, gt=0, le=24, description="hours of a burst at night (22-06 h)"
    )
    burst_day_h: float = Field(
        9.0,
        gt=0,
        le=48,
        description="hours of a burst by day, longer to spare the filling of pools",
    )
    backflow_litres: float = Field(
        3.0, gt=0, description="a register that falls by less within a day is no backflow"
    )
    stuck_chance: float = Field(
        1e-6,
        gt=0,
        lt=1,
        description="learned chance of a pause so long, below which a meter is stuck",
    )
    stuck_min_days: float = Field(
        16.0,
        gt=0,
        le=90,
        description="days without use that are needed at least; most holidays are shorter",
    )
    stuck_seldom_days: float = Field(
        90.0,
        gt=0,
        le=730,
        description="the same for homes that are seldom occupied by their own habit",
    )
    stuck_vacancy_factor: float = Field(
        1.5, ge=1, le=10, description="times the longest earlier pause of the meter that ended"
    )
    night_sigma_share: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="smallest sigma of the night minimum, as a share of its median",
    )
    night_cusum_h: float = Field(
        28.0, gt=0, description="decision limit in sigmas of the sum over nights"
    )
    coarse_evidence: float = Field(
        6.0,
        gt=0,
        description="log likelihood ratio over days at which a meter read seldom has a leak",
    )
    zone_cusum_h: float = Field(
        6.0,
        gt=0,
        description="decision limit in sigmas of the sum over days for the leak of a zone",
    )
    zone_burst_h: float = Field(
        7.0, gt=0, description="decision limit in sigmas of the sum over hours for a zone's burst"
    )
    balance_cusum_h: float = Field(
        18.0,
        gt=0,
        description="decision limit in sigmas of the sum over hours for a zone's balance",
    )
    intermittent_evidence: float = Field(
        30.0,
        gt=0,
        description="log likelihood ratio for rarer pauses at which a leak with pauses is raised",
    )
    intermittent_litres_per_h: float = Field(
        10.0,
        gt=0,
        description="hours with a lower rate count as pauses for the leak that comes and goes",
    )
    silent_water_h: float = Field(
        24.0,
        gt=0,
        le=744,
        description="hours without a reading after which a water sensor is silent; of a meter read less often "
        "than every 2.2 h, one and a half of its intervals more",
    )
    silent_station_h: float = Field(
        6.0, gt=0, le=744, description="the same for inlets, pumps, pressures and tanks"
    )
    silent_water_cadences: float = Field(
        3.0, ge=1.5, description="and at least so many of its intervals"
    )
    silent_traffic_min: float = Field(
        15.0,
        gt=0,
        le=1440,
        description="minutes without a reading after which a traffic sensor is silent",
    )
    silent_traffic_cadences: float = Field(
        6.0, ge=1.5, description="and at least so many of its intervals"
    )
    congestion_km_per_h: float = Field(
        64.0, gt=0, description="5-minute mean speed below which traffic is congested (40 mph)"
    )
    congestion_clear_km_per_h: float = Field(
        72.0, gt=0, description="5-minute mean speed above which it flows again (45 mph)"
    )
    congestion_on_s: float = Field(
        60.0, ge=0, description="seconds below the limit before the alert"
    )
    congestion_off_s: float = Field(
        300.0, ge=0, description="seconds above the limit before it clears"
    )
    unusual_sigmas: float = Field(
        4.0, gt=0, description="slower than usual at this hour by so many spreads"
    )
    unusual_drop_km_per_h: float = Field(20.0, gt=0, description="and by so many km/h")
    unusual_on_s: float = Field(180.0, ge=0, description="seconds before the alert")
    water_price_per_m3: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="price of a cubic metre, for the cost of a leak in evidence and sentence; 0: not told",
    )
    currency: str = Field(
        "EUR", pattern="^[A-Z]{3}$", description="ISO 4217 code of the currency of that price"
    )
    stuck_traffic_min: float = Field(
        15.0, gt=0, description="minutes of one and the same value, other than zero"
    )
